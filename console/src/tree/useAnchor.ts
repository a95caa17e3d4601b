import { useLayoutEffect, useRef } from 'preact/hooks';
import type { TreeStore } from './store';

interface Anchored {
  store: TreeStore<{ id: string }>;
  scroller: { current: HTMLElement | null };
  /** In pixels. */
  rowHeight: number;
  /** Is called after it has scrolled. */
  onMoved: () => void;
}

/**
 * Keeps what is in sight in its place while rows come above it. `grown`: how many rows there are more than when it was last drawn; `shift`:
 * how many pixels it is going to scroll for them, once they are drawn. `remember` is to be told where the table is scrolled to.
 */
export function useAnchor({ store, scroller, rowHeight, onMoved }: Anchored) {
  const anchor = useRef<{ key: string; index: number } | null>(null);
  const count = useRef(store.rowCount);
  const grown = store.rowCount - count.current;
  count.current = store.rowCount;
  const kept = anchor.current;
  const index = kept && grown !== 0 ? findAgain(store, kept, grown) : -1;
  const shift = kept && index >= 0 ? (index - kept.index) * rowHeight : 0;
  useLayoutEffect(() => {
    if (!scroller.current || shift === 0) return;
    scroller.current.scrollTop += shift;
    onMoved();
  });
  const remember = (scrollTop: number) => {
    const index = Math.floor(scrollTop / rowHeight);
    const row = store.rowAt(index);
    // In place of a row that says "loading", what was loaded shall be seen.
    anchor.current = row?.kind === 'item' ? { key: row.key, index } : null;
  };
  return { grown, shift, remember };
}

/** Where many rows have come, a row mostly is where it was, or as far from the end as before. */
function findAgain(store: Anchored['store'], kept: { key: string; index: number }, grown: number): number {
  if (store.rowAt(kept.index)?.key === kept.key) return kept.index;
  return store.indexOf(kept.key, kept.index + grown);
}
