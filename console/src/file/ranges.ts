import { FileError } from './error';
import type { FileSource } from './source';
import type { ByteRange } from './traffic';

const CACHED_BYTES = 64_000_000;
const AT_ONCE = 4;

/** Runs so many tasks at once, the others in the order in which they came. */
export class Gate {
  #running = 0;
  readonly #queue: (() => void)[] = [];

  constructor(private readonly limit: number) {}

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.limit) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#running += 1;
    try {
      return await task();
    } finally {
      const next = this.#queue.shift();
      // The place goes on to the next one.
      if (next) next();
      else this.#running -= 1;
    }
  }
}

interface Segment extends ByteRange {
  bytes: Promise<ArrayBuffer>;
}

/** A file as hyparquet reads it (`AsyncBuffer`): by ranges, each fetched once while it is remembered. */
export class RangeReader {
  /** The last used ones at the end. */
  #segments: Segment[] = [];
  readonly #gate = new Gate(AT_ONCE);

  constructor(
    private readonly source: FileSource,
    readonly byteLength: number,
    private readonly signal?: AbortSignal,
  ) {}

  /** Bytes from `start` up to `end`; a negative `start` counts from the end of the file. */
  async slice(start: number, end = this.byteLength): Promise<ArrayBuffer> {
    const from = Math.max(start < 0 ? this.byteLength + start : start, 0);
    const to = Math.min(end < 0 ? this.byteLength + end : end, this.byteLength);
    if (to <= from) return new ArrayBuffer(0);
    const segment = this.#find(from, to) ?? this.#fetch({ start: from, end: to });
    const bytes = await segment.bytes;
    return bytes.slice(from - segment.start, to - segment.start);
  }

  #find(start: number, end: number): Segment | undefined {
    const found = this.#segments.find((segment) => segment.start <= start && segment.end >= end);
    if (found) this.#segments = [...this.#segments.filter((segment) => segment !== found), found];
    return found;
  }

  #fetch(range: ByteRange): Segment {
    const segment = { ...range, bytes: this.#gate.run(() => this.#read(range)) };
    this.#segments = withinLimit([...this.#segments, segment]);
    // What failed is tried anew by the next who asks.
    segment.bytes.catch(() => (this.#segments = this.#segments.filter((other) => other !== segment)));
    return segment;
  }

  async #read(range: ByteRange): Promise<ArrayBuffer> {
    const { bytes } = await this.source.read({ range, ...(this.signal && { signal: this.signal }) });
    if (bytes.length !== range.end - range.start)
      throw new FileError('unexpected', 206, 'fewer bytes than the file has');
    return bytes.buffer;
  }
}

/** Forgets what was not used for longest. */
function withinLimit(segments: Segment[]): Segment[] {
  let total = segments.reduce((sum, segment) => sum + segment.end - segment.start, 0);
  let forgotten = 0;
  while (total > CACHED_BYTES && forgotten < segments.length - 1) {
    const segment = segments[forgotten];
    total -= segment ? segment.end - segment.start : 0;
    forgotten += 1;
  }
  return segments.slice(forgotten);
}
