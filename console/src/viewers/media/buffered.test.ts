import { describe, expect, it } from 'vitest';
import { addBuffered } from './buffered';

function player(duration: number, ...times: [number, number][]) {
  const at = (index: number) => times[index] ?? [0, 0];
  return {
    duration,
    buffered: {
      length: times.length,
      start: (index: number) => at(index)[0],
      end: (index: number) => at(index)[1],
    },
  };
}

describe('what a player has read', () => {
  it('is its times as shares of the file, with those from before', () => {
    const first = addBuffered([], player(100, [0, 10]), 5000);
    expect(first).toEqual([{ start: 0, end: 500 }]);
    const later = addBuffered(first, player(100, [5, 20], [80, 100.02]), 5000);
    expect(later).toEqual([
      { start: 0, end: 1000 },
      { start: 4000, end: 5000 },
    ]);
  });

  it('is unknown without a size or a length', () => {
    expect(addBuffered([], player(100, [0, 10]), null)).toEqual([]);
    expect(addBuffered([], player(Infinity, [0, 10]), 5000)).toEqual([]);
    expect(addBuffered([], player(NaN), 5000)).toEqual([]);
  });
});
