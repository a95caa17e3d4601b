import type { ParquetParsers } from 'hyparquet';

/** A moment with the digits that a Date has no place for: micro- and nanoseconds. */
export class PreciseDate extends Date {
  constructor(
    milliseconds: number,
    /** The digits after those of the milliseconds. */
    readonly digits: string,
  ) {
    super(milliseconds);
  }
}

function preciseDate(value: bigint, perMillisecond: bigint, digits: number): PreciseDate {
  // Before 1970 the rest is negative: it counts from the millisecond before.
  const rest = ((value % perMillisecond) + perMillisecond) % perMillisecond;
  return new PreciseDate(Number((value - rest) / perMillisecond), String(rest).padStart(digits, '0'));
}

export const dateParsers: Partial<ParquetParsers> = {
  timestampFromMicroseconds: (micros) => preciseDate(micros, 1000n, 3),
  timestampFromNanoseconds: (nanos) => preciseDate(nanos, 1_000_000n, 6),
};
