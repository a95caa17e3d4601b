/** The values of a column, ready for a plot: numbers, or texts. */
export interface ColumnValues {
  /** NaN where there is none. */
  numbers: Float64Array | null;
  texts: string[] | null;
  /** The numbers are milliseconds since the epoch. */
  times: boolean;
  missing: number;
}

export interface Summary {
  count: number;
  min: number;
  max: number;
  mean: number;
  median: number;
}

/** Of finite numbers; null if there are none. */
export function summarize(numbers: Float64Array): Summary | null {
  const finite = numbers.filter((value) => Number.isFinite(value)).sort();
  const count = finite.length;
  if (count === 0) return null;
  let mean = 0;
  // A running mean does not overflow.
  finite.forEach((value, index) => (mean += (value - mean) / (index + 1)));
  const middle = finite[count >> 1] ?? 0;
  const median = count % 2 ? middle : (middle + (finite[(count >> 1) - 1] ?? 0)) / 2;
  return { count, min: finite[0] ?? 0, max: finite[count - 1] ?? 0, mean, median };
}

export interface Histogram {
  /** The left edges of the bins. */
  edges: number[];
  counts: number[];
  width: number;
}

const MOST_BINS = 60;

/** Bins of a round width, so that their edges can be read. */
export function histogramOf(numbers: Float64Array, summary: Summary): Histogram {
  const { min, max, count } = summary;
  if (min === max) return { edges: [min - 0.5], counts: [count], width: 1 };
  const wanted = Math.min(MOST_BINS, Math.max(8, Math.ceil(2 * Math.cbrt(count))));
  const integers = numbers.every((value) => !Number.isFinite(value) || Number.isInteger(value));
  const width = Math.max(roundUp((max - min) / wanted), integers ? 1 : 0);
  const first = Math.floor(min / width);
  const bins = Math.floor(max / width) - first + 1;
  const counts = new Array<number>(bins).fill(0);
  for (const value of numbers) {
    if (!Number.isFinite(value)) continue;
    const bin = Math.min(Math.max(Math.floor(value / width) - first, 0), bins - 1);
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return { edges: counts.map((_, index) => (first + index) * width), counts, width };
}

/** The next of 1, 2, 2.5, 5 times a power of ten. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 2.5, 5, 10].find((candidate) => candidate * power >= value * (1 - 1e-9)) ?? 10;
  return step * power;
}

/**
 * Positions and values of a line with at most `points` points: of each stretch its least and greatest value, so that no spike is
 * lost.
 */
export function decimate(numbers: Float64Array, points: number): { x: number[]; y: (number | null)[] } {
  const finite = (value: number | undefined) =>
    value !== undefined && Number.isFinite(value) ? value : null;
  if (numbers.length <= points) {
    return { x: Array.from(numbers, (_, index) => index), y: Array.from(numbers, (value) => finite(value)) };
  }
  const x: number[] = [];
  const y: (number | null)[] = [];
  const stretch = numbers.length / (points / 2);
  for (let start = 0; start < numbers.length; start += stretch) {
    const [from, to] = [Math.floor(start), Math.min(Math.floor(start + stretch), numbers.length)];
    const extremes = extremesOf(numbers, from, to);
    for (const index of extremes) {
      x.push(index);
      y.push(finite(numbers[index]));
    }
  }
  return { x, y };
}

/** Where the least and the greatest value are, in their order. */
function extremesOf(numbers: Float64Array, from: number, to: number): number[] {
  let least = from;
  let greatest = from;
  for (let index = from + 1; index < to; index += 1) {
    const value = numbers[index] ?? NaN;
    if (value < (numbers[least] ?? NaN) || Number.isNaN(numbers[least])) least = index;
    if (value > (numbers[greatest] ?? NaN) || Number.isNaN(numbers[greatest])) greatest = index;
  }
  if (least === greatest) return [least];
  return least < greatest ? [least, greatest] : [greatest, least];
}

export interface TextCounts {
  distinct: number;
  /** The most frequent ones first. */
  top: { text: string; count: number }[];
}

export function countTexts(texts: string[], most = 12): TextCounts {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  const top = [...counts]
    .map(([text, count]) => ({ text, count }))
    .sort((a, b) => b.count - a.count || (a.text < b.text ? -1 : 1));
  return { distinct: counts.size, top: top.slice(0, most) };
}

const numbers = new Intl.NumberFormat('en-US', { maximumFractionDigits: 10 });

/** A number for people: six significant digits, and no more zeros than needed. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return value.toExponential(3).replace(/\.?0+e/, 'e');
  return numbers.format(Number(value.toPrecision(6)));
}

export function formatTime(milliseconds: number): string {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime())
    ? '–'
    : date
        .toISOString()
        .replace('T', ' ')
        .replace(/(\.000)?Z$/, '');
}
