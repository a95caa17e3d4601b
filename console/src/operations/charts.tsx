import { formatCount, formatDuration } from '../lib/format';
import './charts.css';

const WIDTH = 120;
const HEIGHT = 32;

/** A line of what happened lately. Its numbers stand beside it. */
export function Sparkline({ values, label }: { values: number[]; label: string }) {
  const top = Math.max(...values, 0.001);
  const step = WIDTH / Math.max(1, values.length - 1);
  const points = values.map(
    (value, index) =>
      `${(index * step).toFixed(1)},${(HEIGHT - 2 - (value / top) * (HEIGHT - 4)).toFixed(1)}`,
  );
  const line = points.join(' ');
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <line x1="0" x2={WIDTH} y1={HEIGHT - 2} y2={HEIGHT - 2} class="sparkline-base" />
      {points.length > 1 && (
        <>
          <polygon points={`0,${HEIGHT - 2} ${line} ${WIDTH},${HEIGHT - 2}`} />
          <polyline points={line} />
        </>
      )}
    </svg>
  );
}

/** Counts as bars, each with its name and number. */
export function Bars({ items, none }: { items: { label: string; count: number }[]; none: string }) {
  const top = Math.max(...items.map(({ count }) => count), 1);
  if (items.length === 0) return <p class="muted">{none}</p>;
  return (
    <dl class="bars">
      {items.map(({ label, count }) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>
            <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
              <rect class="bars-rest" width="100" height="8" rx="0" />
              <rect class="bars-part" width={(count / top) * 100} height="8" />
            </svg>
            <span class="number">{formatCount(count)}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** How many requests took how long: a bar for each bucket. */
export function Histogram({ counts, bounds }: { counts: number[]; bounds: (number | null)[] }) {
  const top = Math.max(...counts, 1);
  const width = 100 / Math.max(1, counts.length);
  return (
    <svg class="histogram" viewBox={`0 0 100 ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      {counts.map((count, index) => (
        <rect
          key={index}
          x={index * width + 0.5}
          y={HEIGHT - barHeight(count, top)}
          width={width - 1}
          height={barHeight(count, top)}
        >
          <title>{`${boundText(bounds, index)}: ${formatCount(count)}`}</title>
        </rect>
      ))}
    </svg>
  );
}

/** The root makes few slow requests visible beside many quick ones. */
function barHeight(count: number, top: number): number {
  return count === 0 ? 1 : 3 + Math.sqrt(count / top) * (HEIGHT - 4);
}

function boundText(bounds: (number | null)[], index: number): string {
  const bound = bounds[index];
  if (bound === null || bound === undefined) return `more than ${formatDuration(bounds[index - 1] ?? 0)}`;
  return `up to ${formatDuration(bound)}`;
}
