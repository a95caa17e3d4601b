import { describe, expect, it } from 'vitest';
import type { RestoreProgress } from '../api/types';
import { addSample, isFinished, rateOf, sumUp, timeLeft, type Sample } from './progress';

function order(changes: Partial<RestoreProgress>): RestoreProgress {
  const zeros = { total: 0, restored: 0, restoring: 0, failures: 0, failed: [], bytes: 0 };
  return { id: 'N:package:a', state: 'RESTORING', order: 'running', ...zeros, ...changes };
}

describe('totals', () => {
  it('are those of all orders', () => {
    const failed = [{ id: 'x', reason: 'its bytes no longer exist' }];
    const totals = sumUp([
      order({ total: 50, restored: 20, restoring: 29, failures: 1, failed, bytes: 300 }),
      order({ order: 'finished', state: 'READY', total: 1, restored: 1, bytes: 7 }),
    ]);
    expect(totals).toEqual({
      total: 51,
      restored: 21,
      restoring: 29,
      failures: 1,
      bytes: 307,
      failed,
      stage: 'running',
    });
  });

  it('count an ordered folder, which the service leaves out', () => {
    const folder = order({ id: 'N:collection:a', total: 50, restored: 50 });
    expect(sumUp([folder])).toMatchObject({ total: 51, restored: 50 });
    expect(sumUp([{ ...folder, state: 'READY', order: 'finished' }])).toMatchObject({
      total: 51,
      restored: 51,
    });
  });

  it('are unknown while all orders wait in the queue', () => {
    expect(sumUp([order({ order: 'queued' })])).toMatchObject({ total: null, stage: 'queued' });
  });

  it('tell of waiting only if nothing runs', () => {
    expect(sumUp([order({ order: 'waiting' }), order({ order: 'queued' })]).stage).toBe('waiting');
    expect(sumUp([order({ order: 'waiting' }), order({})]).stage).toBe('running');
  });

  it('a package that was restored within another order is finished with its state', () => {
    expect(isFinished(order({ order: null, state: 'READY' }))).toBe(true);
    expect(isFinished(order({ order: null, state: 'DELETED' }))).toBe(true);
    expect(isFinished(order({ order: null }))).toBe(false);
    expect(sumUp([order({ order: null })]).stage).toBe('running');
  });
});

describe('rate', () => {
  const samples: Sample[] = [
    { at: 0, restored: 0, bytes: 0 },
    { at: 2000, restored: 4000, bytes: 8_000_000 },
  ];

  it('is what was restored in the time between', () => {
    expect(rateOf(samples)).toEqual({ packages: 2000, bytes: 4_000_000 });
    expect(timeLeft(sumUp([order({ total: 10_000, restored: 4000 })]), rateOf(samples))).toBe(3);
  });

  it('is unknown without progress', () => {
    expect(rateOf([])).toBeNull();
    expect(rateOf(samples.slice(0, 1))).toBeNull();
    expect(rateOf([samples[0]!, { at: 1000, restored: 0, bytes: 0 }])).toBeNull();
    expect(timeLeft(sumUp([order({ total: 10 })]), null)).toBeNull();
  });

  it('forgets what is older than its window, and keeps one sample to measure from', () => {
    let kept = samples;
    for (const at of [10_000, 16_000, 20_000]) kept = addSample(kept, { at, restored: 5000, bytes: 0 });
    expect(kept.map(({ at }) => at)).toEqual([2000, 10_000, 16_000, 20_000]);
  });
});
