import { FormatError } from '../../file/error';
import { completeLength, decodeText, detectEncoding, encodedLength, type Encoding } from './decode';
import { detectDelimiter, hasHeader, parseRecords } from './parse';

/** Reads bytes from `start` up to `end`, fewer at the end of the file. */
export type ReadBytes = (
  start: number,
  end: number,
  signal?: AbortSignal,
) => Promise<{ bytes: Uint8Array; total: number | null }>;

export const PIECE = 262_144;

/** A field that is longer than this has a quote that nothing closes. */
const LONGEST_RECORD = 4_194_304;
const KEPT_ROWS = 200_000;

interface Part {
  start: number;
  end: number;
  firstRow: number;
  count: number;
  /** null: forgotten, and read anew when it comes into sight. */
  rows: string[][] | null;
}

/** A CSV file that is read piece by piece, from its beginning. */
export class CsvTable {
  header: string[] = [];
  /** In bytes; null until a response says it. */
  size: number | null;
  delimiter = ',';
  encoding: Encoding = 'utf-8';
  /** Data rows that were seen so far. */
  rowCount = 0;
  columnCount = 0;
  /** Where the next piece begins, in bytes. */
  position = 0;
  done = false;
  #parts: Part[] = [];
  #reading: Promise<void> | null = null;

  constructor(
    private readonly read: ReadBytes,
    private readonly name: string,
    size: number | null,
  ) {
    this.size = size;
  }

  /** Reads the next piece. Those who call at once share one. */
  readMore(signal?: AbortSignal): Promise<void> {
    if (this.done) return Promise.resolve();
    this.#reading ??= this.#readPiece(signal).finally(() => (this.#reading = null));
    return this.#reading;
  }

  /** How many rows there are, or about how many if the end was not seen. */
  get estimatedRows(): number {
    if (this.done || this.position === 0 || this.size === null) return this.rowCount;
    return Math.round((this.rowCount / this.position) * this.size);
  }

  /** A row; null while it is not there. */
  row(index: number): string[] | null {
    const part = this.#partOf(index);
    return part?.rows?.[index - part.firstRow] ?? null;
  }

  /** Makes sure that the rows are there, as far as they were seen before. */
  async load(first: number, last: number, signal?: AbortSignal): Promise<void> {
    const missing = this.#parts.filter(
      (part) => part.firstRow <= last && part.firstRow + part.count > first && !part.rows,
    );
    for (const part of missing) {
      const { bytes } = await this.read(part.start, part.end, signal);
      const skip = part.firstRow === 0 && this.header.length > 0 && part.start === 0;
      const rows = parseRecords(this.#decode(bytes, part.start), this.delimiter, true).rows;
      part.rows = skip && this.#headerFromFile ? rows.slice(1) : rows;
    }
    this.#forget(first, last);
  }

  /** All values of a column, of the rows that are remembered. */
  column(index: number): string[] {
    return this.#parts.flatMap((part) => part.rows?.map((row) => row[index] ?? '') ?? []);
  }

  #headerFromFile = false;

  async #readPiece(signal?: AbortSignal): Promise<void> {
    const start = this.position;
    let end = start + PIECE;
    for (;;) {
      const { bytes, total } = await this.read(start, end, signal);
      this.size = total ?? this.size;
      const atEnd = bytes.length < end - start || (this.size !== null && start + bytes.length >= this.size);
      if (start === 0) this.#recognize(bytes, atEnd);
      const whole = atEnd ? bytes.length : completeLength(bytes, this.encoding);
      const text = this.#decode(bytes.subarray(0, whole), start);
      const { rows, consumed } = parseRecords(text, this.delimiter, atEnd);
      if (consumed > 0 || atEnd) {
        const mark = start === 0 ? markLength(bytes, this.encoding) : 0;
        const length = atEnd ? bytes.length : mark + encodedLength(text.slice(0, consumed), this.encoding);
        this.#add(rows, start, start + length);
        this.done = atEnd;
        return;
      }
      if (end - start >= LONGEST_RECORD) throw unclosed(start);
      end = start + (end - start) * 2;
    }
  }

  #recognize(bytes: Uint8Array, atEnd: boolean): void {
    this.encoding = detectEncoding(bytes);
    const whole = atEnd ? bytes.length : completeLength(bytes, this.encoding);
    this.delimiter = detectDelimiter(this.#decode(bytes.subarray(0, whole), 0), this.name);
  }

  #decode(bytes: Uint8Array, start: number): string {
    const mark = start === 0 ? markLength(bytes, this.encoding) : 0;
    return decodeText(bytes.subarray(mark), this.encoding);
  }

  #add(rows: string[][], start: number, end: number): void {
    let data = rows;
    if (start === 0) {
      this.#headerFromFile = hasHeader(rows);
      if (this.#headerFromFile) {
        this.header = rows[0] ?? [];
        data = rows.slice(1);
      }
    }
    this.columnCount = data.reduce(
      (most, row) => Math.max(most, row.length),
      Math.max(this.columnCount, this.header.length),
    );
    this.#parts.push({ start, end, firstRow: this.rowCount, count: data.length, rows: data });
    this.rowCount += data.length;
    this.position = end;
    this.#forget(this.rowCount - data.length, this.rowCount);
  }

  #partOf(index: number): Part | undefined {
    let low = 0;
    let high = this.#parts.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const part = this.#parts[middle];
      if (!part) return undefined;
      if (index < part.firstRow) high = middle - 1;
      else if (index >= part.firstRow + part.count) low = middle + 1;
      else return part;
    }
    return undefined;
  }

  /** Keeps the rows around those in sight, so that a large file does not fill the memory. */
  #forget(first: number, last: number): void {
    const kept = this.#parts.filter(({ rows }) => rows);
    let total = kept.reduce((sum, { count }) => sum + count, 0);
    const distance = ({ firstRow, count }: Part) => Math.max(firstRow - last, first - firstRow - count, 0);
    kept.sort((a, b) => distance(b) - distance(a));
    for (const part of kept) {
      if (total <= KEPT_ROWS || distance(part) === 0) return;
      total -= part.count;
      part.rows = null;
    }
  }
}

/** The length of a byte order mark. */
function markLength(bytes: Uint8Array, encoding: Encoding): number {
  if (encoding === 'utf-8') return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  return encoding === 'windows-1252' ? 0 : 2;
}

function unclosed(start: number): FormatError {
  return new FormatError(
    `A record that begins at byte ${start} does not end within 4 MB: a quote may be open.`,
  );
}
