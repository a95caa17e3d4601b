/** What is selected in a list: by ids, so that it survives scrolling and new pages. */
export interface Selection {
  ids: ReadonlySet<string>;
  /** Where a range starts: what was selected or cleared last. */
  anchor: string | null;
}

export const NOTHING: Selection = { ids: new Set(), anchor: null };

export function toggleOne(selection: Selection, id: string): Selection {
  const ids = new Set(selection.ids);
  if (!ids.delete(id)) ids.add(id);
  return { ids, anchor: id };
}

/** Selects from the anchor to `id`, as they stand in `order`. Without an anchor in it, `id` alone. */
export function selectRange(selection: Selection, id: string, order: readonly string[]): Selection {
  const to = order.indexOf(id);
  const from = selection.anchor === null ? -1 : order.indexOf(selection.anchor);
  if (to < 0) return selection;
  if (from < 0) return { ids: new Set([...selection.ids, id]), anchor: id };
  const range = order.slice(Math.min(from, to), Math.max(from, to) + 1);
  return { ids: new Set([...selection.ids, ...range]), anchor: selection.anchor };
}

/** Selects all of `order`, or nothing if all of it is selected already. */
export function toggleAll(selection: Selection, order: readonly string[]): Selection {
  const all = order.length > 0 && order.every((id) => selection.ids.has(id));
  return all ? NOTHING : { ids: new Set([...selection.ids, ...order]), anchor: null };
}

/** Without what is gone. */
export function keepOnly(selection: Selection, exists: (id: string) => boolean): Selection {
  return { ids: new Set([...selection.ids].filter(exists)), anchor: selection.anchor };
}
