import { signal } from '@preact/signals';
import type { LinkRoute } from './link';

/** Who is asked: the API, S3 or the CDN. A request to the proxy asks the API, which redirects to S3. */
export type Server = 'api' | 's3' | 'cdn';

export function serversOf(route: LinkRoute): Server[] {
  return route === 'proxy' ? ['api', 's3'] : [route];
}

/** Bytes from `start` up to `end`, exclusive. */
export interface ByteRange {
  start: number;
  end: number;
}

export interface RequestEntry {
  id: number;
  what: string;
  servers: Server[];
  startedAt: number;
  endedAt: number | null;
  bytes: number;
  /** 0 until there is one, and if there never was. */
  status: number;
}

export interface TrafficState {
  requests: number;
  bytes: number;
  byServer: Record<Server, { requests: number; bytes: number }>;
  /** The last ones, newest first. */
  recent: RequestEntry[];
  running: RequestEntry[];
  /** What was fetched of the file, in order and without overlaps. */
  ranges: ByteRange[];
  /** Whether `ranges` are those of a player, which tells times only. */
  estimated: boolean;
  /** Set while a request waits because a server asked for it, or did not answer. */
  waiting: { until: number; why: string } | null;
}

const KEPT_ENTRIES = 100;
const REPORT_EVERY = 120;

/** Counts the requests that show a file, and their bytes. */
export class Traffic {
  readonly state = signal<TrafficState>(emptyState());
  #entries: RequestEntry[] = [];
  #state = emptyState();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #nextId = 1;

  constructor(private readonly now: () => number = () => Date.now()) {}

  start(what: string, servers: Server[]): RequestEntry {
    const entry = {
      id: this.#nextId++,
      what,
      servers,
      startedAt: this.now(),
      endedAt: null,
      bytes: 0,
      status: 0,
    };
    this.#entries = [entry, ...this.#entries].slice(0, KEPT_ENTRIES);
    this.#state.requests += servers.length;
    for (const server of servers) this.#state.byServer[server].requests += 1;
    this.#state.running = [...this.#state.running, entry];
    this.#report();
    return entry;
  }

  /** Bytes of a body arrived. They come from the last of the servers. */
  receive(entry: RequestEntry, bytes: number): void {
    const server = entry.servers.at(-1) ?? 'api';
    entry.bytes += bytes;
    this.#state.bytes += bytes;
    this.#state.byServer[server].bytes += bytes;
    this.#report();
  }

  end(entry: RequestEntry, status: number, range?: ByteRange): void {
    entry.status = status;
    entry.endedAt = this.now();
    this.#state.running = this.#state.running.filter((running) => running !== entry);
    if (range) this.#state.ranges = addRange(this.#state.ranges, range);
    this.#report();
  }

  /** What a player has read by itself, as far as it can be told. */
  estimate(ranges: ByteRange[]): void {
    this.#state.ranges = ranges;
    this.#state.estimated = true;
    this.#report();
  }

  wait(until: number, why: string): void {
    this.#state.waiting = { until, why };
    this.#report();
  }

  goOn(): void {
    this.#state.waiting = null;
    this.#report();
  }

  /** The numbers as they are now. */
  snapshot(): TrafficState {
    return { ...this.#state, byServer: structuredClone(this.#state.byServer), recent: [...this.#entries] };
  }

  // A body arrives in many parts: the page need not be drawn for each.
  #report(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.state.value = this.snapshot();
    }, REPORT_EVERY);
  }
}

function emptyState(): TrafficState {
  const none = () => ({ requests: 0, bytes: 0 });
  const byServer = { api: none(), s3: none(), cdn: none() };
  return {
    requests: 0,
    bytes: 0,
    byServer,
    recent: [],
    running: [],
    ranges: [],
    estimated: false,
    waiting: null,
  };
}

/** Ranges with one more, joined where they touch. */
export function addRange(ranges: ByteRange[], added: ByteRange): ByteRange[] {
  if (added.end <= added.start) return ranges;
  const apart = ranges.filter((range) => range.end < added.start || range.start > added.end);
  const joined = ranges.filter((range) => !apart.includes(range));
  const start = Math.min(added.start, ...joined.map((range) => range.start));
  const end = Math.max(added.end, ...joined.map((range) => range.end));
  return [...apart, { start, end }].sort((a, b) => a.start - b.start);
}

export function coveredBytes(ranges: ByteRange[]): number {
  return ranges.reduce((sum, range) => sum + range.end - range.start, 0);
}
