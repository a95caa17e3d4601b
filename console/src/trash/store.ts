import { requestApi, wasAborted } from '../api/client';
import type { Page, TrashItem } from '../api/types';
import { TreeStore } from '../tree/store';

/** The largest page that the service gives with the outlook: both requests have to be of the same page. */
const LIMIT = 100;

/** Asking S3 takes up to 10 seconds, in which nobody should wait for the list. */
export function trashStore(dataset: string): TreeStore<TrashItem> {
  const store: TreeStore<TrashItem> = new TreeStore<TrashItem>(
    async (parent, cursor, limit, abort) => {
      const query = { dataset_id: dataset, parent, cursor, limit };
      const page = await requestApi<Page<TrashItem>>('/trash', { query, signal: abort });
      if (page.items.some(({ kind }) => kind !== 'Collection')) void addOutlook(store, query, abort);
      return page;
    },
    { first: LIMIT, later: LIMIT },
  );
  return store;
}

interface PageQuery {
  dataset_id: string;
  parent: string | null;
  cursor: string | null;
  limit: number;
}

/** Asks for the same page again, with what S3 still has of the files, and adds that to the rows. */
async function addOutlook(store: TreeStore<TrashItem>, query: PageQuery, abort: AbortSignal): Promise<void> {
  let outlook = new Map<string, Pick<TrashItem, 'recoverable' | 'recoverable_until'>>();
  try {
    const page = await requestApi<Page<TrashItem>>('/trash', {
      query: { ...query, outlook: true },
      signal: abort,
    });
    outlook = new Map(page.items.map((item) => [item.id, item]));
  } catch (error) {
    if (wasAborted(error)) return;
  }
  store.update((item) => {
    if (item.recoverable !== undefined) return item;
    const known = outlook.get(item.id);
    // After a failure, the rows of this page are told as unknown: they must not wait for ever.
    if (!known && outlook.size > 0) return item;
    return {
      ...item,
      recoverable: known?.recoverable ?? null,
      recoverable_until: known?.recoverable_until ?? null,
    };
  });
}
