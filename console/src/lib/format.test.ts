import { describe, expect, it } from 'vitest';
import { countOf, formatBytes, formatDuration, formatRelative } from './format';

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1 kB'],
    [1234, '1.23 kB'],
    [12_345, '12.3 kB'],
    [999_499, '999 kB'],
    [999_600, '1 MB'],
    [75_161_927, '75.2 MB'],
    [100_000_000, '100 MB'],
    [3.2e15, '3.2 PB'],
  ])('%d is %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it('has a dash for what is unknown', () => {
    expect(formatBytes(null)).toBe('–');
    expect(formatBytes(Number.NaN)).toBe('–');
  });
});

describe('formatDuration', () => {
  it.each([
    [0.0042, '4 ms'],
    [8.25, '8.3 s'],
    [59.6, '1 min 00 s'],
    [250, '4 min 10 s'],
    [3900, '1 h 05 min'],
    [86_400, '1 day'],
    [864_000, '10 days'],
  ])('%d s is %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));
});

describe('formatRelative', () => {
  const now = Date.parse('2026-11-27T10:00:00Z');
  it.each([
    ['2026-11-27T09:59:40Z', 'just now'],
    ['2026-11-27T07:00:00Z', '3 hours ago'],
    ['2026-11-26T09:00:00Z', 'yesterday'],
    ['2026-12-09T11:00:00Z', 'in 12 days'],
    ['not a time', '–'],
  ])('%s is %s', (time, text) => expect(formatRelative(time, now)).toBe(text));
});

it('counts in words', () => {
  expect(countOf(1, 'file')).toBe('1 file');
  expect(countOf(12_000, 'folder')).toBe('12,000 folders');
  expect(countOf(0, 'entry', 'entries')).toBe('0 entries');
});
