import type { RestoreProgress } from '../api/types';

/** The progress of several orders as one. */
export interface Totals {
  /** Null until an order has begun: before, the service does not know its size. */
  total: number | null;
  restored: number;
  restoring: number;
  failures: number;
  bytes: number;
  failed: { id: string; reason: string }[];
  stage: 'queued' | 'running' | 'waiting' | 'finished';
}

/** Whether there is nothing to wait for. A package without an order of its own is done when it is not being restored. */
export function isFinished(progress: RestoreProgress): boolean {
  return progress.order ? progress.order === 'finished' : progress.state !== 'RESTORING';
}

/** An order of a folder does not count the folder itself: people do. */
export function sumUp(orders: readonly RestoreProgress[]): Totals {
  const sum = (value: (order: RestoreProgress) => number) =>
    orders.reduce((before, order) => before + value(order), 0);
  const begun = orders.filter(({ order }) => order !== 'queued');
  const folders = begun.filter(({ id, order }) => id.startsWith('N:collection:') && order);
  return {
    total: begun.length > 0 ? sum(({ total }) => total) + folders.length : null,
    restored: sum(({ restored }) => restored) + folders.filter(({ state }) => state === 'READY').length,
    restoring: sum(({ restoring }) => restoring),
    failures: sum(({ failures }) => failures),
    bytes: sum(({ bytes }) => bytes),
    failed: orders.flatMap(({ failed }) => failed),
    stage: stageOf(orders),
  };
}

function stageOf(orders: readonly RestoreProgress[]): Totals['stage'] {
  const open = orders.filter((order) => !isFinished(order));
  if (open.length === 0) return 'finished';
  if (open.some(({ order }) => order === 'running' || !order)) return 'running';
  return open.some(({ order }) => order === 'waiting') ? 'waiting' : 'queued';
}

export interface Sample {
  /** In milliseconds. */
  at: number;
  restored: number;
  bytes: number;
}

export interface Rate {
  /** Packages in a second. */
  packages: number;
  /** Bytes in a second. */
  bytes: number;
}

/** How long the rate looks back, in milliseconds: batches come every few seconds. */
const WINDOW = 15_000;

/** Samples with a new one, without those that are too old to count. One older than the window stays, to measure from. */
export function addSample(samples: readonly Sample[], sample: Sample): Sample[] {
  const all = [...samples, sample];
  const first = all.findLastIndex(({ at }) => at <= sample.at - WINDOW);
  return first > 0 ? all.slice(first) : all;
}

/** Null while there is nothing to measure: a single sample, or no progress. */
export function rateOf(samples: readonly Sample[]): Rate | null {
  const first = samples[0];
  const last = samples.at(-1);
  if (!first || !last || last.at <= first.at) return null;
  const seconds = (last.at - first.at) / 1000;
  const packages = (last.restored - first.restored) / seconds;
  return packages > 0 ? { packages, bytes: Math.max(0, last.bytes - first.bytes) / seconds } : null;
}

/** Seconds until the end at this rate; null if it cannot be told. */
export function timeLeft(totals: Totals, rate: Rate | null): number | null {
  if (!rate || totals.total === null || totals.stage === 'finished') return null;
  return Math.max(0, totals.total - totals.restored - totals.failures) / rate.packages;
}
