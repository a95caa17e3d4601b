/** Rows above and below the visible ones that are drawn, too, so that a quick scroll shows no gap. */
const MARGIN = 8;

/** The rows to draw: from `first` up to, and without, `end`. */
export function visibleRows(scrollTop: number, height: number, rowHeight: number, count: number) {
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - MARGIN);
  const end = Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + MARGIN);
  return { first: Math.min(first, end), end };
}

/** Where to scroll so that a row is wholly visible beneath the header: unchanged if it is. */
export function scrollToRow(index: number, scrollTop: number, height: number, rowHeight: number): number {
  const top = index * rowHeight;
  if (top < scrollTop) return top;
  return top + rowHeight > scrollTop + height ? top + rowHeight - height : scrollTop;
}
