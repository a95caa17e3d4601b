import { Notice } from '../components/States';
import { countOf, formatBytes, formatCount, formatDuration } from '../lib/format';
import { coveredBytes, type RequestEntry, type Server, type Traffic, type TrafficState } from './traffic';
import { useNow } from './useNow';

const SERVERS: Record<Server, string> = { api: 'API', s3: 'S3', cdn: 'CDN' };
const SLOW_AFTER = 4_000;

interface TrafficBoxProps {
  traffic: Traffic;
  /** Of the file, in bytes; null if it is unknown. */
  size: number | null;
  /** What the numbers are of, if there is no size. */
  note: string;
}

/** How many requests and bytes it took to show what is seen. */
export function TrafficBox({ traffic, size, note }: TrafficBoxProps) {
  const state = traffic.state.value;
  const read = coveredBytes(state.ranges);
  return (
    <section class="link-section" aria-label="What was read">
      <h2>Read so far</h2>
      <p class="traffic-sum">
        <b>{state.estimated ? `about ${formatBytes(read)}` : formatBytes(state.bytes)}</b>
        {size !== null && size > 0 && (
          <span>
            of {formatBytes(size)} ({percent(read, size)})
          </span>
        )}
        {note && <span>{note}</span>}
      </p>
      {size !== null && size > 0 && <RangeMap state={state} size={size} read={read} />}
      <p class="traffic-servers">
        {countOf(state.requests, 'request')}:{' '}
        {(Object.keys(SERVERS) as Server[])
          .filter((server) => state.byServer[server].requests > 0)
          .map((server) => `${SERVERS[server]} ${formatCount(state.byServer[server].requests)}`)
          .join(', ')}
      </p>
      {state.estimated && (
        <p class="traffic-servers">The player reads by itself: by ranges, and often ahead.</p>
      )}
      <Waiting state={state} />
      <details class="traffic-list">
        <summary>Requests</summary>
        <ol>
          {state.recent.map((entry) => (
            <Entry key={entry.id} entry={entry} />
          ))}
        </ol>
      </details>
    </section>
  );
}

function percent(read: number, size: number): string {
  const share = (read / size) * 100;
  return share > 0 && share < 1 ? '< 1 %' : `${Math.round(share)} %`;
}

/** Which parts of the file were read: a strip from its first byte to its last. */
function RangeMap({ state, size, read }: { state: TrafficState; size: number; read: number }) {
  const label = `${formatBytes(read)} of ${formatBytes(size)} in ${countOf(state.ranges.length, 'part')}`;
  return (
    <svg class="range-map" viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label={label}>
      {state.ranges.map(({ start, end }) => (
        // What is too small to be seen is drawn a pixel wide.
        <rect
          key={start}
          x={(start / size) * 1000}
          y={0}
          width={Math.max(((end - start) / size) * 1000, 3)}
          height={10}
        />
      ))}
    </svg>
  );
}

function Waiting({ state }: { state: TrafficState }) {
  const now = useNow();
  if (state.waiting) {
    const seconds = Math.max(Math.ceil((state.waiting.until - now) / 1000), 0);
    return (
      <Notice tone="warn">
        {state.waiting.why}. Trying again in {seconds} s.
      </Notice>
    );
  }
  const oldest = Math.min(...state.running.map(({ startedAt }) => startedAt));
  if (now - oldest < SLOW_AFTER || !Number.isFinite(oldest)) return null;
  return (
    <Notice tone="warn">
      {countOf(state.running.length, 'request')} running, for {Math.round((now - oldest) / 1000)} s: storage
      is slow.
    </Notice>
  );
}

function Entry({ entry }: { entry: RequestEntry }) {
  const { what, servers, bytes, status, startedAt, endedAt } = entry;
  const failed = endedAt !== null && (status === 0 || status >= 400);
  return (
    <li class={failed ? 'traffic-failed' : ''}>
      <span class="traffic-what">
        <b>{servers.map((server) => SERVERS[server]).join(' → ')}</b> <bdi>{what}</bdi>
      </span>
      <span class="muted">
        {endedAt === null ? 'running' : status === 0 ? 'stopped' : status}, {formatBytes(bytes)}
        {endedAt !== null && `, ${formatDuration((endedAt - startedAt) / 1000)}`}
      </span>
    </li>
  );
}
