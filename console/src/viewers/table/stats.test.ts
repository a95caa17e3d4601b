import { describe, expect, it } from 'vitest';
import { countTexts, decimate, formatNumber, histogramOf, summarize } from './stats';

describe('a column', () => {
  it('is summarized without what is missing', () => {
    expect(summarize(Float64Array.of(3, NaN, 1, Infinity, 2))).toEqual({
      count: 3,
      min: 1,
      max: 3,
      mean: 2,
      median: 2,
    });
    expect(summarize(Float64Array.of(1, 2))?.median).toBe(1.5);
    expect(summarize(Float64Array.of(NaN))).toBeNull();
  });

  it('has a histogram of round bins, in which each value counts once', () => {
    const numbers = Float64Array.from({ length: 1000 }, (_, index) => index / 100);
    const summary = summarize(numbers)!;
    const { edges, counts, width } = histogramOf(numbers, summary);
    expect(counts.reduce((a, b) => a + b)).toBe(1000);
    expect(width).toBe(0.5);
    expect(edges.slice(0, 3)).toEqual([0, 0.5, 1]);
    expect(histogramOf(Float64Array.of(7, 7), summarize(Float64Array.of(7, 7))!).counts).toEqual([2]);
    const integers = Float64Array.of(1, 2, 2, 3);
    expect(histogramOf(integers, summarize(integers)!).counts).toEqual([1, 2, 1]);
  });

  it('is thinned out to a line that keeps its spikes', () => {
    const numbers = new Float64Array(100_000);
    numbers[54_321] = 9;
    numbers[54_322] = -9;
    const { x, y } = decimate(numbers, 1000);
    expect(x.length).toBeLessThanOrEqual(1000);
    expect(y[x.indexOf(54_321)]).toBe(9);
    expect(y[x.indexOf(54_322)]).toBe(-9);
    expect(decimate(Float64Array.of(1, NaN), 10)).toEqual({ x: [0, 1], y: [1, null] });
  });

  it('of texts has the most frequent ones first', () => {
    expect(countTexts(['b', 'a', 'b', 'c'], 2)).toEqual({
      distinct: 3,
      top: [
        { text: 'b', count: 2 },
        { text: 'a', count: 1 },
      ],
    });
  });

  it('shows numbers briefly', () => {
    expect([0, 1234567.891, 0.1 + 0.2, 1e-7, 6.02e23, NaN].map(formatNumber)).toEqual([
      '0',
      '1,234,570',
      '0.3',
      '1e-7',
      '6.02e+23',
      'NaN',
    ]);
  });
});
