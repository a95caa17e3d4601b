/** What of a long table is in sight, in rows and columns. */
export interface Window {
  firstRow: number;
  /** Exclusive. */
  lastRow: number;
  firstColumn: number;
  /** Exclusive. */
  lastColumn: number;
}

export const ROW = 28;
export const NUMBERS = 72;
const MARGIN = 4;

/** Browsers draw no element of more than some ten million pixels: a longer table is scrolled in proportion. */
export const TALLEST = 8_000_000;

/** How far one pixel of the scrollbar moves the table. */
export function scrollRatio(rowCount: number, viewHeight: number): number {
  const height = (rowCount + 1) * ROW;
  if (height <= TALLEST) return 1;
  return (height - viewHeight) / (TALLEST - viewHeight);
}

export function windowOf(
  view: { top: number; left: number; width: number; height: number },
  rowCount: number,
  offsets: number[],
): Window {
  const firstRow = Math.max(Math.floor(view.top / ROW) - MARGIN, 0);
  const lastRow = Math.min(Math.ceil((view.top + view.height) / ROW) + MARGIN, rowCount);
  const columns = offsets.length - 1;
  let firstColumn = 0;
  while (firstColumn < columns && (offsets[firstColumn + 1] ?? 0) <= view.left) firstColumn += 1;
  let lastColumn = firstColumn;
  while (lastColumn < columns && (offsets[lastColumn] ?? 0) < view.left + view.width - NUMBERS)
    lastColumn += 1;
  return { firstRow: Math.min(firstRow, lastRow), lastRow, firstColumn, lastColumn };
}

/** Where columns begin, and at last where they end. */
export function offsetsOf(widths: number[]): number[] {
  const offsets = [0];
  for (const width of widths) offsets.push((offsets.at(-1) ?? 0) + width);
  return offsets;
}

const CHARACTER = 7.4;

/** The width of a column for its name and some of its values, in pixels. */
export function widthOf(title: string, samples: string[]): number {
  const longest = samples.reduce((most, text) => Math.max(most, text.length), 0);
  return Math.round(Math.min(Math.max(title.length * 7.8 + 30, longest * CHARACTER + 22, 64), 320));
}
