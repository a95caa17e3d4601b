/** The first values of a dataset, as rows of a table. */
export interface ValueRows {
  rows: { index: string; values: string[] }[];
  /** How many rows, and how many values of each row, are not among them. */
  more: { rows: number; columns: number };
}

const MOST_ROWS = 100;
const MOST_COLUMNS = 16;

/** The last axis goes along the rows, all others down. Values are in C order. */
export function valueRows(values: ArrayLike<unknown>, shape: number[], digits = 15): ValueRows {
  const columns = shape.length > 1 ? (shape.at(-1) ?? 1) : 1;
  const outer = shape.length > 1 ? shape.slice(0, -1) : shape;
  const count = outer.reduce((product, length) => product * length, 1);
  const rows = Array.from({ length: Math.min(count, MOST_ROWS) }, (_, row) => ({
    index: indexText(row, outer),
    values: Array.from({ length: Math.min(columns, MOST_COLUMNS) }, (_, column) =>
      valueText(values[row * columns + column], digits),
    ),
  }));
  return {
    rows,
    more: { rows: Math.max(count - MOST_ROWS, 0), columns: Math.max(columns - MOST_COLUMNS, 0) },
  };
}

/** Where a row is along the outer axes: `3, 0`. */
function indexText(row: number, outer: number[]): string {
  let rest = row;
  const places: number[] = [];
  for (const length of [...outer].reverse()) {
    places.unshift(rest % length);
    rest = Math.floor(rest / length);
  }
  return places.join(', ');
}

/** Texts of a fixed length are filled up with NUL. */
function valueText(value: unknown, digits: number): string {
  if (typeof value === 'number') return String(Number(value.toPrecision(digits)));
  if (typeof value === 'string') return value.replace(/\0+$/, '').slice(0, 200);
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  return value === undefined || value === null ? '' : JSON.stringify(value).slice(0, 200);
}
