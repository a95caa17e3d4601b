/** Records of a piece of CSV (RFC 4180), and where the last complete one ends. */
export interface Parsed {
  rows: string[][];
  /** How many characters belong to complete records. */
  consumed: number;
}

/**
 * Reads all records that end within `text`, which begins at the start of a record. With `last`, what follows the last line break is
 * a record too. Lines end in LF, CRLF or CR; a quote within an unquoted field is a character like others, as people's files have it.
 */
export function parseRecords(text: string, delimiter: string, last: boolean): Parsed {
  const reader = new RecordReader(text, delimiter);
  const rows: string[][] = [];
  let consumed = 0;
  for (;;) {
    const row = reader.readRecord(last);
    if (!row) return { rows, consumed };
    consumed = reader.position;
    // An empty line is no record.
    if (row.length > 1 || row[0] !== '') rows.push(row);
  }
}

class RecordReader {
  position = 0;

  constructor(
    private readonly text: string,
    private readonly delimiter: string,
  ) {}

  /** The record at the position; null if its end is not within the text. */
  readRecord(last: boolean): string[] | null {
    const row: string[] = [];
    let position = this.position;
    if (position >= this.text.length) return null;
    for (;;) {
      const field = this.text[position] === '"' ? this.#readQuoted(position) : this.#readPlain(position);
      const next = this.text[field.end];
      if (field.open || (next === undefined && !last)) return null;
      row.push(field.value);
      if (next === this.delimiter) {
        position = field.end + 1;
        continue;
      }
      const end = this.#skipLineBreak(field.end, last);
      if (end === null) return null;
      this.position = end;
      return row;
    }
  }

  #skipLineBreak(position: number, last: boolean): number | null {
    if (this.text[position] !== '\r') return Math.min(position + 1, this.text.length);
    // The LF of a CRLF may be in the next piece.
    if (position + 1 >= this.text.length) return last ? position + 1 : null;
    return this.text[position + 1] === '\n' ? position + 2 : position + 1;
  }

  #readPlain(start: number) {
    const { text, delimiter } = this;
    let end = start;
    while (end < text.length) {
      const c = text[end];
      if (c === delimiter || c === '\n' || c === '\r') break;
      end += 1;
    }
    return { value: text.slice(start, end), end, open: false };
  }

  #readQuoted(start: number) {
    const { text, delimiter } = this;
    let value = '';
    let from = start + 1;
    for (;;) {
      const quote = text.indexOf('"', from);
      if (quote < 0) return { value, end: text.length, open: true };
      value += text.slice(from, quote);
      from = quote + 1;
      if (text[from] === '"') {
        value += '"';
        from += 1;
        continue;
      }
      // What stands between the closing quote and the delimiter belongs to the field.
      let end = from;
      while (end < text.length && text[end] !== delimiter && text[end] !== '\n' && text[end] !== '\r')
        end += 1;
      return { value: value + text.slice(from, end), end, open: false };
    }
  }
}

const DELIMITERS = [',', '\t', ';', '|'];

/** The delimiter with which the first records have equally many, and most, fields. */
export function detectDelimiter(text: string, name: string): string {
  if (/\.(tsv|tab)$/i.test(name)) return '\t';
  const score = (delimiter: string) => {
    const rows = parseRecords(text.slice(0, 20_000), delimiter, false).rows.slice(0, 20);
    const widths = rows.map((row) => row.length);
    const width = widths[0] ?? 1;
    return width > 1 ? (widths.filter((other) => other === width).length / widths.length) * 100 + width : 0;
  };
  const scores = DELIMITERS.map((delimiter) => ({ delimiter, score: score(delimiter) }));
  const best = scores.reduce((a, b) => (b.score > a.score ? b : a));
  return best.score > 0 ? best.delimiter : ',';
}

/** A number as files write it: `-1.5e3`, `NaN`. null: it is text. Empty fields are not numbers. */
export function parseNumber(text: string): number | null {
  const trimmed = text.trim();
  if (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(trimmed)) return Number(trimmed);
  if (/^[-+]?inf(inity)?$/i.test(trimmed)) return trimmed.startsWith('-') ? -Infinity : Infinity;
  return null;
}

const MISSING = new Set(['', 'na', 'n/a', 'nan', 'null', 'none', '-']);

export function isMissing(text: string): boolean {
  return MISSING.has(text.trim().toLowerCase());
}

/** Whether the first row names the columns: it is all text, nothing is empty or there twice, and rows follow. */
export function hasHeader(rows: string[][]): boolean {
  const [first, ...rest] = rows;
  if (!first || rest.length === 0) return false;
  if (first.some((field) => field.trim() === '' || parseNumber(field) !== null)) return false;
  return new Set(first).size === first.length;
}

/** Whether most values of a column are numbers: such columns are aligned to the right, and can be plotted. */
export function isNumeric(values: string[]): boolean {
  const present = values.filter((value) => !isMissing(value));
  return (
    present.length > 0 &&
    present.filter((value) => parseNumber(value) !== null).length / present.length > 0.95
  );
}
