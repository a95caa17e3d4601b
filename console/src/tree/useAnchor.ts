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
 * Keeps what is in sight in its place while rows come above it. `grown`: how many rows there are more than when it was last drawn.
 * `remember` is to be told where the table is scrolled to.
 */
export function useAnchor({ store, scroller, rowHeight, onMoved }: Anchored) {
  const anchor = useRef<{ key: string; index: number } | null>(null);
  const count = useRef(store.rowCount);
  const grown = store.rowCount - count.current;
  count.current = store.rowCount;
  useLayoutEffect(() => {
    const [element, kept] = [scroller.current, anchor.current];
    if (!element || !kept || grown === 0 || store.rowAt(kept.index)?.key === kept.key) return;
    const index = store.indexOf(kept.key, kept.index + grown);
    if (index < 0) return;
    element.scrollTop += (index - kept.index) * rowHeight;
    onMoved();
  });
  const remember = (scrollTop: number) => {
    const index = Math.floor(scrollTop / rowHeight);
    const row = store.rowAt(index);
    // In place of a row that says "loading", what was loaded shall be seen.
    anchor.current = row?.kind === 'item' ? { key: row.key, index } : null;
  };
  return { grown, remember };
}
