import { describe, expect, it } from 'vitest';
import { dateParsers } from './preciseDate';
import { blocksOf } from './table';
import { formatValue, valuesOf } from './values';

describe('values of Parquet', () => {
  it('are shown with all their digits, and no more', () => {
    const shown = [
      0.2199999988079071,
      1n << 60n,
      true,
      new Date(86_400_000),
      { a: 1n, b: [2] },
      new Uint8Array([1, 255]),
    ];
    expect(shown.map((value) => formatValue(value))).toEqual([
      '0.2199999988079071',
      '1152921504606846976',
      'true',
      '1970-01-02',
      '{"a":1,"b":[2]}',
      '01 ff',
    ]);
    expect(formatValue(0.2199999988079071, true)).toBe('0.22');
    expect(formatValue(new Uint8Array(30))).toMatch(/… \(30 bytes\)$/);
  });

  it('keep microseconds and nanoseconds, also before 1970', () => {
    const { timestampFromMicroseconds: micros, timestampFromNanoseconds: nanos } = dateParsers;
    expect(formatValue(micros?.(1_713_432_600_004_293n))).toBe('2024-04-18 09:30:00.004293');
    expect(formatValue(micros?.(-1n))).toBe('1969-12-31 23:59:59.999999');
    expect(formatValue(nanos?.(1_000_001n))).toBe('1970-01-01 00:00:00.001000001');
    expect(formatValue(nanos?.(86_400_000_000_000n))).toBe('1970-01-02');
  });

  it('are plotted if they are numbers or dates, else counted', () => {
    expect(valuesOf([1, null, 2n])).toEqual({
      numbers: Float64Array.of(1, NaN, 2),
      texts: null,
      times: false,
      missing: 1,
    });
    expect(valuesOf([new Date(5)])).toMatchObject({ numbers: Float64Array.of(5), times: true });
    expect(valuesOf(['a', null, 'b'])).toEqual({
      numbers: null,
      texts: ['a', 'b'],
      times: false,
      missing: 1,
    });
  });
});

describe('blocks of a row group', () => {
  const group = { start: 10_000, rows: 5_000, bytes: [1_000, 9_000_000], indexed: true };

  it('are the group itself if it is small or has no index', () => {
    expect(blocksOf(group, 0, 12_000, 12_010)).toEqual([{ start: 10_000, end: 15_000, byPages: false }]);
    expect(blocksOf({ ...group, indexed: false }, 1, 12_000, 12_010)).toHaveLength(1);
  });

  it('are stretches of a large one', () => {
    expect(blocksOf(group, 1, 11_990, 12_010)).toEqual([
      { start: 10_000, end: 12_000, byPages: true },
      { start: 12_000, end: 14_000, byPages: true },
    ]);
    expect(blocksOf(group, 1, 14_999, 15_000)).toEqual([{ start: 14_000, end: 15_000, byPages: true }]);
  });
});
