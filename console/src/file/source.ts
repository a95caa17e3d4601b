import { systemClock, wait, type Clock } from './clock';
import { FileError } from './error';
import type { FileLink, LinkKeeper } from './link';
import { serversOf, type ByteRange, type RequestEntry, type Traffic } from './traffic';

export interface ReadOptions {
  /** Beneath a directory: the object's path. */
  path?: string;
  range?: ByteRange;
  /** Instead of `range`: so many bytes at the end. Browsers send a preflight for it. */
  suffix?: number;
  signal?: AbortSignal;
  /** What the list of requests calls it. */
  what?: string;
  onProgress?: (received: number, total: number | null) => void;
}

export interface Piece {
  bytes: Uint8Array<ArrayBuffer>;
  /** The object's whole size, if the response says it. */
  total: number | null;
  contentType: string | null;
}

const ATTEMPTS = 4;
const NETWORK_ATTEMPTS = 3;
const STALLED_AFTER = 30_000;
const LONGEST_WAIT = 30_000;

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Reads a file, or the objects of a directory, through a link that is kept alive. Counts what that takes. */
export class FileSource {
  constructor(
    readonly keeper: LinkKeeper,
    readonly traffic: Traffic,
    private readonly clock: Clock = systemClock,
    private readonly send: Fetch = (url, init) => fetch(url, init),
  ) {}

  /** Reads an object or a part of it. A part behind the end is empty. */
  async read(options: ReadOptions = {}): Promise<Piece> {
    let refused = false;
    for (let attempt = 1; ; attempt += 1) {
      options.signal?.throwIfAborted();
      const link = await this.keeper.current();
      const result = await this.#attempt(link, options);
      if ('piece' in result) return result.piece;
      const { error, retryAfter } = result;
      if (error.kind === 'refused' && !refused) {
        refused = true;
        await this.keeper.replace(link);
      } else if (mayRetry(error, attempt)) {
        await this.#pause(error, retryAfter ?? 500 * 2 ** (attempt - 1), options.signal);
      } else {
        throw error;
      }
    }
  }

  async #pause(error: FileError, milliseconds: number, signal?: AbortSignal): Promise<void> {
    const pause = Math.min(milliseconds, LONGEST_WAIT);
    this.traffic.wait(this.clock.now() + pause, error.title);
    try {
      await wait(this.clock, pause, signal);
    } finally {
      this.traffic.goOn();
    }
  }

  async #attempt(link: FileLink, options: ReadOptions): Promise<{ piece: Piece } | Failure> {
    const { range } = options;
    const entry = this.traffic.start(options.what ?? describe(options), serversOf(link.route));
    const stall = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, stall.signal]) : stall.signal;
    const watch = new StallWatch(this.clock, stall);
    let status = 0;
    try {
      const response = await this.send(urlOf(link, options.path), {
        signal,
        // The link alone opens the file: no cookie and no token goes to storage.
        credentials: 'omit',
        referrerPolicy: 'no-referrer',
        headers: rangeHeader(options),
      });
      status = response.status;
      const outcome = await this.#judge(response, options, entry, watch);
      const at = 'piece' in outcome ? { start: range?.start ?? 0, length: outcome.piece.bytes.length } : null;
      this.traffic.end(
        entry,
        status,
        at && !options.path ? { start: at.start, end: at.start + at.length } : undefined,
      );
      return outcome;
    } catch (error) {
      this.traffic.end(entry, status);
      if (options.signal?.aborted) throw options.signal.reason;
      if (error instanceof FileError) throw error;
      return { error: new FileError(stall.signal.aborted ? 'stalled' : 'network', 0) };
    } finally {
      watch.stop();
    }
  }

  async #judge(response: Response, options: ReadOptions, entry: RequestEntry, watch: StallWatch) {
    if (response.status === 416) {
      return { piece: { bytes: new Uint8Array(), total: totalOf(response), contentType: null } };
    }
    if (!response.ok) return failureOf(response);
    const total = totalOf(response);
    const { range } = options;
    const wanted = range && response.status === 200 ? range.end : Infinity;
    const bytes = await readBody(response, wanted, (part) => {
      watch.alive();
      this.traffic.receive(entry, part);
      options.onProgress?.(entry.bytes, total);
    });
    // A server that does not know ranges sends the whole file: what was asked for is cut out of it.
    const cut = range && response.status === 200 ? bytes.slice(range.start, range.end) : bytes;
    return { piece: { bytes: cut, total, contentType: response.headers.get('content-type') } };
  }
}

interface Failure {
  error: FileError;
  /** In milliseconds. */
  retryAfter?: number | null;
}

/** Ends a request for which nothing arrives. */
class StallWatch {
  #cancel: () => void;

  constructor(
    private readonly clock: Clock,
    private readonly controller: AbortController,
  ) {
    this.#cancel = this.#watch();
  }

  alive(): void {
    this.#cancel();
    this.#cancel = this.#watch();
  }

  stop(): void {
    this.#cancel();
  }

  #watch() {
    return this.clock.after(STALLED_AFTER, () => this.controller.abort());
  }
}

function rangeHeader({ range, suffix }: ReadOptions): Record<string, string> {
  if (range) return { range: `bytes=${range.start}-${range.end - 1}` };
  return suffix ? { range: `bytes=-${suffix}` } : {};
}

function mayRetry(error: FileError, attempt: number): boolean {
  if (error.kind === 'busy') return attempt < ATTEMPTS;
  return (error.kind === 'network' || error.kind === 'stalled') && attempt < NETWORK_ATTEMPTS;
}

export function urlOf(link: FileLink, path = ''): string {
  if (link.query === null) return link.url;
  return `${link.url}${path.split('/').map(encodeURIComponent).join('/')}?${link.query}`;
}

function describe({ path, range, suffix }: ReadOptions): string {
  if (suffix) return `${path ?? ''}, the last ${suffix} bytes`;
  const bytes = range ? `bytes ${range.start}–${range.end - 1}` : 'the whole file';
  return path ? `${path}${range ? `, ${bytes}` : ''}` : bytes;
}

function totalOf(response: Response): number | null {
  const range = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '');
  if (range?.[1]) return Number(range[1]);
  const length = response.headers.get('content-length');
  return response.status === 200 && length !== null && !response.headers.get('content-encoding')
    ? Number(length)
    : null;
}

// S3 says with 400 that the credentials which signed a link have ended (docs/limits.md, "When a link ends").
const ENDED_CODES = new Set(['ExpiredToken', 'TokenRefreshRequired', 'InvalidToken']);
// S3's answer for an object in a class that has to be restored first (S3, "Error responses").
const ARCHIVED_CODE = 'InvalidObjectState';

async function failureOf(response: Response): Promise<Failure> {
  const { status } = response;
  const text = await response.text().catch(() => '');
  const code = /<Code>(\w{1,60})<\/Code>/.exec(text)?.[1] ?? '';
  // Another link would be refused, too.
  if (code === ARCHIVED_CODE) return { error: new FileError('archived', status, code) };
  if (status === 403 || (status === 400 && ENDED_CODES.has(code)))
    return { error: new FileError('refused', status, code) };
  if (status === 404) return { error: new FileError('missing', status, code) };
  if (status === 429 || status >= 500) {
    const seconds = Number.parseFloat(response.headers.get('retry-after') ?? '');
    return {
      error: new FileError('busy', status, code),
      retryAfter: Number.isFinite(seconds) ? seconds * 1000 : null,
    };
  }
  return { error: new FileError('unexpected', status, code) };
}

async function readBody(response: Response, wanted: number, onPart: (bytes: number) => void) {
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  while (reader && length < wanted) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    length += value.length;
    onPart(value.length);
  }
  if (reader && length >= wanted) await reader.cancel();
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
