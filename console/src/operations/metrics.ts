import type { Latency, OperationsReport } from './report';

/**
 * The time within which a share of the requests were answered, in seconds: interpolated within its bucket, as Prometheus does.
 * Null without requests. Beyond the last bound, the bound itself: it took at least so long.
 */
export function quantile(latency: Latency, share: number): number | null {
  if (latency.count === 0) return null;
  const rank = share * latency.count;
  let below = { bound: 0, count: 0 };
  for (const { le_seconds, count } of latency.buckets) {
    if (count >= rank && count > below.count) {
      if (le_seconds === null) return below.bound;
      return below.bound + ((le_seconds - below.bound) * (rank - below.count)) / (count - below.count);
    }
    below = { bound: le_seconds ?? below.bound, count };
  }
  return below.bound;
}

/** How many requests are in each bucket alone. */
export function bucketCounts(latency: Latency): number[] {
  return latency.buckets.map(({ count }, index) => count - (latency.buckets[index - 1]?.count ?? 0));
}

/** Adds up what has the same name, the most frequent first. */
export function countBy<T extends { count: number }>(items: readonly T[], name: (item: T) => string) {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(name(item), (counts.get(name(item)) ?? 0) + item.count);
  return [...counts]
    .map(([label, count]) => ({ label, count }))
    .sort((a, b) => b.count - a.count || a.label.localeCompare(b.label));
}

export interface Moment {
  /** In seconds; only differences count. */
  at: number;
  requests: number;
  links: number;
  refusals: number;
}

export function momentOf(report: OperationsReport, at: number): Moment {
  const total = (items: readonly { count: number }[]) => items.reduce((sum, { count }) => sum + count, 0);
  return {
    at,
    requests: total(report.requests),
    links: total(report.links),
    refusals: total(report.refusals),
  };
}

/** How many moments a plot shows. */
const MAX_MOMENTS = 120;

/** The moments with a new one. After a restart the counters begin anew, and so do the plots. */
export function addMoment(moments: readonly Moment[], moment: Moment): Moment[] {
  const last = moments.at(-1);
  if (last && moment.requests < last.requests) return [moment];
  return [...moments, moment].slice(-MAX_MOMENTS);
}

/** How often something happened in a second, between one moment and the next. */
export function ratesOf(moments: readonly Moment[], of: 'requests' | 'links' | 'refusals'): number[] {
  return moments.slice(1).map((moment, index) => {
    const before = moments[index];
    return before && moment.at > before.at ? (moment[of] - before[of]) / (moment.at - before.at) : 0;
  });
}
