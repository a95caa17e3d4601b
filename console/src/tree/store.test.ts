import { describe, expect, it } from 'vitest';
import type { Page } from '../api/types';
import { TreeStore } from './store';

interface Item {
  id: string;
}

/** Folders by their id; the cursor is the position. */
function pagesOf(folders: Record<string, number>, calls: string[] = []) {
  return (parent: string | null, cursor: string | null, limit: number): Promise<Page<Item>> => {
    const size = folders[parent ?? 'top'] ?? 0;
    const from = Number(cursor ?? 0);
    calls.push(`${parent ?? 'top'} ${from}+${limit}`);
    const to = Math.min(size, from + limit);
    const prefix = parent ? `${parent}/` : '';
    const items = Array.from({ length: to - from }, (_, index) => ({ id: `${prefix}${from + index}` }));
    return Promise.resolve({ items, next: to < size ? String(to) : null });
  };
}

function keys(store: TreeStore<Item>): string[] {
  return Array.from({ length: store.rowCount }, (_, index) => store.rowAt(index)?.key ?? 'none');
}

const limits = { first: 2, later: 3 };

describe('pages', () => {
  it('a small one first, then larger ones, each once', async () => {
    const calls: string[] = [];
    const store = new TreeStore(pagesOf({ top: 6 }, calls), limits);
    await store.loadMore();
    expect(keys(store)).toEqual(['0', '1', 'end of top']);
    expect(store.rowAt(2)?.kind).toBe('loading');
    await Promise.all([store.loadMore(), store.loadMore()]);
    await store.loadMore();
    await store.loadMore();
    expect(calls).toEqual(['top 0+2', 'top 2+3', 'top 5+3']);
    expect(keys(store)).toEqual(['0', '1', '2', '3', '4', '5']);
  });

  it('empty ones are passed over, until there is an item or none is left', async () => {
    const pages: Page<Item>[] = [
      { items: [], next: 'a' },
      { items: [], next: 'b' },
      { items: [{ id: 'x' }], next: 'c' },
      { items: [], next: null },
    ];
    const store = new TreeStore(() => Promise.resolve(pages.shift() ?? { items: [], next: null }), limits);
    await store.loadMore();
    expect(keys(store)).toEqual(['x', 'end of top']);
    await store.loadMore();
    expect(keys(store)).toEqual(['x']);
  });

  it('an empty folder says so', async () => {
    const store = new TreeStore(pagesOf({ top: 0 }), limits);
    await store.loadMore();
    expect(store.rowAt(0)?.kind).toBe('empty');
    expect(store.itemCount).toBe(0);
  });

  it('a failure keeps what was loaded, and the same page is asked for again', async () => {
    let fails = true;
    const calls: string[] = [];
    const read = pagesOf({ top: 4 }, calls);
    const store = new TreeStore<Item>((parent, cursor, limit) => {
      if (cursor !== null && fails) return Promise.reject(new Error('no network'));
      return read(parent, cursor, limit);
    }, limits);
    await store.loadMore();
    await store.loadMore();
    expect(store.rowAt(2)?.kind).toBe('error');
    fails = false;
    await store.loadMore();
    expect(keys(store)).toEqual(['0', '1', '2', '3']);
    expect(calls).toEqual(['top 0+2', 'top 2+3']);
  });

  it('all of a hundred thousand are found again', async () => {
    const store = new TreeStore(pagesOf({ top: 100_000 }));
    await store.loadAll(store.root, new AbortController().signal);
    expect(store.rowCount).toBe(100_000);
    expect(store.rowAt(99_999)?.key).toBe('99999');
    expect(store.rowAt(100_000)).toBeUndefined();
  });

  it('loading to the end stops when it is told to', async () => {
    const controller = new AbortController();
    const store = new TreeStore<Item>((parent, cursor, limit) => {
      if (cursor === '5') controller.abort();
      return pagesOf({ top: 50 })(parent, cursor, limit);
    }, limits);
    await store.loadAll(store.root, controller.signal);
    expect(store.root.items).toHaveLength(8);
  });
});

describe('the end', () => {
  const forwards = pagesOf({ top: 20, '19': 2 });
  const backwards = async (parent: string | null) => {
    const { items } = await forwards(parent, null, 20);
    return { items: items.toReversed().slice(0, 4), next: 'more' };
  };

  it('is shown before what lies between, which then fills the gap', async () => {
    const calls: string[] = [];
    const store = new TreeStore(pagesOf({ top: 20, '19': 2 }, calls), { first: 3, later: 5 }, backwards);
    await store.loadMore();
    await store.loadTail();
    expect(keys(store)).toEqual(['0', '1', '2', 'end of top', '16', '17', '18', '19']);
    expect(store.itemCount).toBe(7);
    expect([...store.items()].map(({ id }) => id)).toEqual(['0', '1', '2', '16', '17', '18', '19']);
    store.toggle(store.rowAt(7)!);
    await new Promise((resolve) => setTimeout(resolve));
    expect(keys(store).slice(-3)).toEqual(['19', '19/0', '19/1']);
    await store.loadAll(store.root, new AbortController().signal);
    expect(keys(store)).toEqual([...Array(20).keys()].map(String).concat('19/0', '19/1'));
    expect(calls.filter((call) => call.startsWith('top'))).toHaveLength(4);
    store.toggle(store.rowAt(19)!);
    expect(store.rowCount).toBe(20);
  });

  it('is what comes from the front, if its items went away meanwhile', async () => {
    const gone = () => Promise.resolve({ items: [{ id: 'gone' }], next: null });
    const store = new TreeStore(pagesOf({ top: 4 }), limits, gone);
    await store.loadMore();
    await store.loadTail();
    expect(keys(store)).toEqual(['0', '1', 'end of top', 'gone']);
    await store.loadAll(store.root, new AbortController().signal);
    expect(keys(store)).toEqual(['0', '1', '2', '3']);
  });

  it('is reached from the front, if the way backwards fails', async () => {
    const store = new TreeStore<Item>(pagesOf({ top: 4 }), limits, () => Promise.reject(new Error('no')));
    await store.loadMore();
    await store.loadTail();
    expect(keys(store)).toEqual(['0', '1', 'end of top']);
  });
});

describe('folders', () => {
  async function opened() {
    const store = new TreeStore(pagesOf({ top: 3, '0': 2, '1': 1, '1/0': 1 }), { first: 5, later: 5 });
    await store.loadMore();
    for (const key of ['1', '1/0', '0']) {
      const row = store.rowAt(store.indexOf(key));
      store.toggle(row!);
      await Promise.resolve();
      await new Promise((resolve) => setTimeout(resolve));
    }
    return store;
  }

  it('open between their neighbours, in any order', async () => {
    const store = await opened();
    expect(keys(store)).toEqual(['0', '0/0', '0/1', '1', '1/0', '1/0/0', '2']);
    expect(store.rowAt(5)?.depth).toBe(2);
    expect(store.itemCount).toBe(7);
    expect([...store.items()]).toHaveLength(7);
  });

  it('close with what is open inside them', async () => {
    const store = await opened();
    store.toggle(store.rowAt(store.indexOf('1'))!);
    expect(keys(store)).toEqual(['0', '0/0', '0/1', '1', '2']);
  });

  it('a row is found from where it was, and around the end', async () => {
    const store = await opened();
    expect(store.indexOf('2', 6)).toBe(6);
    expect(store.indexOf('2', 1)).toBe(6);
    expect(store.indexOf('gone')).toBe(-1);
    expect(store.findRow((row) => row.key.startsWith('0'), 5)).toBe(0);
  });

  it('items are replaced in place', async () => {
    const store = await opened();
    const before = store.version.value;
    store.update((item) => ({ ...item, known: true }));
    expect(store.rowAt(5)).toMatchObject({ key: '1/0/0', item: { known: true } });
    expect(store.version.value).toBeGreaterThan(before);
  });
});
