import { signal, type Signal } from '@preact/signals';
import { requestApi } from '../api/client';
import type { Child, ChildPage, PathPart } from '../api/types';
import { session } from '../session';
import { TreeStore, type ReadPage } from './store';
import type { Place } from './TreeTable';

/** A folder of a dataset as it was shown: its rows, and where one was in them. */
export interface OpenFolder {
  folder: string | null;
  store: TreeStore<Child>;
  /** Its folders, outermost first, itself at last; null until the first page is there. */
  path: Signal<PathPart[] | null>;
  place: Place;
  openedAt: number;
}

/** Going back shows a folder as it was left, without a request. */
const kept = new Map<string, OpenFolder>();
const MAX_KEPT = 6;
/** After this long, in milliseconds, a folder is read anew. */
const MAX_AGE = 120_000;

export function openFolder(dataset: string, folder: string | null, sort: string): OpenFolder {
  const key = [session.value?.token, dataset, folder ?? '', sort].join(' ');
  const before = kept.get(key);
  kept.delete(key);
  const usable = before && Date.now() - before.openedAt < MAX_AGE && !before.store.root.error;
  const opened = usable ? before : readFolder(dataset, folder, sort);
  kept.set(key, opened);
  dropOldest();
  return opened;
}

/** Forgets all folders, as after a restore. */
export function forgetFolders(): void {
  kept.clear();
}

function dropOldest(): void {
  for (const [key, { store }] of kept) {
    if (kept.size <= MAX_KEPT) return;
    store.dispose();
    kept.delete(key);
  }
}

function readFolder(dataset: string, folder: string | null, sort: string): OpenFolder {
  const path = signal<PathPart[] | null>(folder === null ? [] : null);
  const readBy =
    (order: string): ReadPage<Child> =>
    async (parent, cursor, limit, abort) => {
      const query = { dataset_id: dataset, parent: parent ?? folder, cursor, limit, sort: order };
      const page = await requestApi<ChildPage>('/children', { query, signal: abort });
      if (parent === null) path.value = page.path;
      return page;
    };
  const backwards = sort.startsWith('-') ? sort.slice(1) : `-${sort}`;
  const store = new TreeStore<Child>(readBy(sort), undefined, readBy(backwards));
  return { folder, store, path, place: { scrollTop: 0, active: null }, openedAt: Date.now() };
}
