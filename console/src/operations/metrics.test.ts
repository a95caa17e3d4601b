import { describe, expect, it } from 'vitest';
import { addMoment, bucketCounts, countBy, quantile, ratesOf, type Moment } from './metrics';
import type { Latency } from './report';

function latency(...counts: [number | null, number][]): Latency {
  const buckets = counts.map(([le_seconds, count]) => ({ le_seconds, count }));
  return { route: '/packages/trash', count: counts.at(-1)?.[1] ?? 0, sum_seconds: 0, buckets };
}

describe('quantile', () => {
  const times = latency([0.01, 50], [0.1, 90], [1, 100], [null, 100]);

  it('is interpolated within its bucket', () => {
    expect(quantile(times, 0.5)).toBeCloseTo(0.01);
    expect(quantile(times, 0.7)).toBeCloseTo(0.055);
    expect(quantile(times, 0.95)).toBeCloseTo(0.55);
  });

  it('beyond the last bound is that bound', () => {
    expect(quantile(latency([0.01, 1], [1, 1], [null, 2]), 0.99)).toBe(1);
  });

  it('passes over empty buckets, and is unknown without requests', () => {
    expect(quantile(latency([0.01, 0], [0.1, 0], [1, 4], [null, 4]), 0.5)).toBeCloseTo(0.55);
    expect(quantile(latency([0.01, 0], [null, 0]), 0.5)).toBeNull();
  });

  it('buckets count for themselves', () => {
    expect(bucketCounts(times)).toEqual([50, 40, 10, 0]);
  });
});

it('counts by name, the most frequent first', () => {
  const links = [
    { kind: 's3', key: 'a', count: 2 },
    { kind: 'cdn', key: 'b', count: 3 },
    { kind: 's3', key: 'c', count: 4 },
  ];
  expect(countBy(links, ({ kind }) => kind)).toEqual([
    { label: 's3', count: 6 },
    { label: 'cdn', count: 3 },
  ]);
});

describe('rates', () => {
  const moment = (at: number, requests: number): Moment => ({ at, requests, links: 0, refusals: 0 });

  it('are differences by time', () => {
    expect(ratesOf([moment(0, 10), moment(2, 30), moment(3, 30)], 'requests')).toEqual([10, 0]);
    expect(ratesOf([moment(0, 10)], 'requests')).toEqual([]);
  });

  it('begin anew after a restart, and forget the oldest', () => {
    expect(addMoment([moment(0, 10)], moment(2, 3))).toEqual([moment(2, 3)]);
    let many: Moment[] = [];
    for (let at = 0; at < 200; at += 1) many = addMoment(many, moment(at, at));
    expect(many).toHaveLength(120);
    expect(many[0]).toEqual(moment(80, 80));
  });
});
