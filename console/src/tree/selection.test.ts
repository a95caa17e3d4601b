import { describe, expect, it } from 'vitest';
import { keepOnly, NOTHING, selectRange, toggleAll, toggleOne } from './selection';

const order = ['a', 'b', 'c', 'd', 'e'];
const ids = (selection: { ids: ReadonlySet<string> }) => [...selection.ids].sort().join('');

describe('selection', () => {
  it('is toggled one by one', () => {
    const two = toggleOne(toggleOne(NOTHING, 'b'), 'd');
    expect(ids(two)).toBe('bd');
    expect(ids(toggleOne(two, 'b'))).toBe('d');
    expect(ids(NOTHING)).toBe('');
  });

  it('grows by ranges from the same anchor, in both directions', () => {
    const start = toggleOne(NOTHING, 'c');
    const down = selectRange(start, 'e', order);
    expect(ids(down)).toBe('cde');
    expect(ids(selectRange(down, 'b', order))).toBe('bcde');
  });

  it('a range without an anchor is one item', () => {
    expect(ids(selectRange(NOTHING, 'c', order))).toBe('c');
    expect(ids(selectRange({ ids: new Set(), anchor: 'gone' }, 'c', order))).toBe('c');
    expect(selectRange(NOTHING, 'gone', order)).toBe(NOTHING);
  });

  it('all, and nothing again', () => {
    const all = toggleAll(toggleOne(NOTHING, 'z'), order);
    expect(ids(all)).toBe('abcdez');
    expect(ids(toggleAll(all, order))).toBe('');
    expect(ids(toggleAll(NOTHING, []))).toBe('');
  });

  it('forgets what is gone', () => {
    expect(ids(keepOnly(toggleAll(NOTHING, order), (id) => id !== 'c'))).toBe('abde');
  });
});
