import { expect, it } from 'vitest';
import { scrollToRow, visibleRows } from './window';

it('draws what is visible, and a margin', () => {
  expect(visibleRows(0, 360, 36, 100_000)).toEqual({ first: 0, end: 18 });
  expect(visibleRows(36_000, 360, 36, 100_000)).toEqual({ first: 992, end: 1018 });
  expect(visibleRows(3_599_640, 360, 36, 100_000)).toEqual({ first: 99_982, end: 100_000 });
});

it('draws nothing beyond the end, as after a folder closed', () => {
  expect(visibleRows(36_000, 360, 36, 3)).toEqual({ first: 3, end: 3 });
  expect(visibleRows(0, 360, 36, 0)).toEqual({ first: 0, end: 0 });
});

it('scrolls as little as possible', () => {
  expect(scrollToRow(5, 0, 360, 36)).toBe(0);
  expect(scrollToRow(10, 0, 360, 36)).toBe(36);
  expect(scrollToRow(2, 360, 360, 36)).toBe(72);
});
