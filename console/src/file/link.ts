import { signal } from '@preact/signals';
import type { RequestOptions } from '../api/client';
import { ApiError } from '../api/problem';
import type { PresignedLink, SignedDirectoryLink, SignedLink } from '../api/types';
import type { Clock } from './clock';

/** The way to a file: a presigned S3 URL, a signed URL of the CDN, or the proxy that redirects to S3. */
export type LinkRoute = 's3' | 'cdn' | 'proxy';

/** What is linked. */
export interface LinkTarget {
  datasetId: string;
  packageId: string;
  route: LinkRoute;
  /** A viewer asset of the package; with a slash at its end, all beneath that directory. null: the package's source file. */
  path: string | null;
  /** Lets S3 name the media type. Only for pictures, audio, video and plain text: else the service refuses it. */
  inline?: boolean;
}

export interface FileLink {
  route: LinkRoute;
  /** The object's URL. Of a directory: what the path of an object beneath it is appended to. */
  url: string;
  /** Of a directory: the query that opens each object beneath it. */
  query: string | null;
  /** In milliseconds since the epoch. */
  expiresAt: number;
  /** In milliseconds since the epoch. */
  obtainedAt: number;
  /** As the service names the file. */
  filename: string | null;
  /** In bytes, as the database has it. */
  size: number | null;
}

/** A request to the API as the person who is signed in: the token goes into a header, never into a URL. */
export type ApiRequest = <T>(path: string, options: RequestOptions) => Promise<T>;

/** `/cloudfront/sign` answers with more for a directory than for an object. */
type CdnLink = SignedLink & Partial<SignedDirectoryLink>;

/** Asks the API for a link. */
export async function obtainLink(
  request: ApiRequest,
  target: LinkTarget,
  clock: Clock,
  signal?: AbortSignal,
): Promise<FileLink> {
  const query = { dataset_id: target.datasetId, package_id: target.packageId, path: target.path };
  if (target.route === 'cdn') {
    return ofCdn(await request<CdnLink>('/cloudfront/sign', { query, signal }), clock);
  }
  const disposition = target.inline ? 'inline' : null;
  const presigned = await request<PresignedLink>('/presign/s3', {
    query: { ...query, redirect: false, disposition },
    signal,
  });
  return ofS3(presigned, target.route, clock);
}

function ofCdn(link: CdnLink, clock: Clock): FileLink {
  return {
    route: 'cdn',
    // The CDN compares the directory's spelling byte for byte, so that it stays as the service wrote it.
    url: link.resource?.replace(/\*$/, '') ?? link.signed_url,
    query: link.resource === undefined ? null : (link.query ?? ''),
    expiresAt: link.expires_at * 1000,
    obtainedAt: clock.now(),
    filename: null,
    size: null,
  };
}

function ofS3(link: PresignedLink, route: LinkRoute, clock: Clock): FileLink {
  if (route === 'proxy' && !link.proxy_url) throw new Error('The proxy does not let this bucket through.');
  return {
    route,
    url: (route === 'proxy' ? link.proxy_url : null) ?? link.presigned_url,
    query: null,
    expiresAt: link.expires_at * 1000,
    obtainedAt: clock.now(),
    filename: link.filename,
    size: link.size ?? null,
  };
}

export type RenewalReason = 'its end was near' | 'it was refused' | 'you asked';

export interface LinkState {
  link: FileLink | null;
  /** Why the last attempt to make a link failed. */
  error: unknown;
  busy: boolean;
  renewals: { at: number; reason: RenewalReason }[];
  /** When the next attempt is, in milliseconds since the epoch; null if there is none. */
  nextAt: number | null;
}

/** A link is renewed a minute before its end, a short one when four fifths of its time have passed. */
const AHEAD = 60_000;
const RETRY = 15_000;

/** How long before its end a link is renewed, in milliseconds. */
export function renewAhead(link: FileLink): number {
  return Math.min(AHEAD, (link.expiresAt - link.obtainedAt) / 5);
}

/** Keeps one link alive: makes it, renews it before its end, and once when S3 or the CDN refuses it. */
export class LinkKeeper {
  readonly state = signal<LinkState>({ link: null, error: null, busy: false, renewals: [], nextAt: null });
  #pending: Promise<FileLink> | null = null;
  #cancelTimer: () => void = () => undefined;
  readonly #closing = new AbortController();

  constructor(
    private readonly obtain: (signal: AbortSignal) => Promise<FileLink>,
    private readonly clock: Clock,
  ) {}

  /** A link that has not reached its end. */
  current(): Promise<FileLink> {
    const { link } = this.state.value;
    if (link && link.expiresAt > this.clock.now()) return Promise.resolve(link);
    return this.#make(link ? 'its end was near' : null);
  }

  /** A link instead of one that was refused. If there is another meanwhile, it is that. */
  replace(refused: FileLink): Promise<FileLink> {
    const { link } = this.state.value;
    if (link && link !== refused) return Promise.resolve(link);
    return this.#make('it was refused');
  }

  renew(reason: RenewalReason = 'you asked'): Promise<FileLink> {
    return this.#make(reason);
  }

  close(): void {
    this.#cancelTimer();
    this.#closing.abort(new DOMException('The page of the file was left', 'AbortError'));
  }

  #make(reason: RenewalReason | null): Promise<FileLink> {
    this.#pending ??= this.#request(reason).finally(() => (this.#pending = null));
    return this.#pending;
  }

  async #request(reason: RenewalReason | null): Promise<FileLink> {
    this.#set({ busy: true });
    try {
      const link = await this.obtain(this.#closing.signal);
      const renewal = reason ? [{ at: this.clock.now(), reason }] : [];
      const renewals = [...this.state.value.renewals, ...renewal];
      this.#set({ link, error: null, busy: false, renewals });
      // The same text may come back within five minutes: without a floor, a nearly ended link would be asked for all the time.
      this.#schedule(Math.max(link.expiresAt - renewAhead(link) - this.clock.now(), RETRY / 3));
      return link;
    } catch (error) {
      this.#set({ error, busy: false });
      this.#scheduleRetry(error);
      throw error;
    }
  }

  /** Tries again while somebody may still get a link: a role that has ended does not come back by itself. */
  #scheduleRetry(error: unknown): void {
    const refused = error instanceof ApiError && error.status >= 400 && error.status < 500;
    if (this.state.value.link && !refused) this.#schedule(RETRY);
    else this.#set({ nextAt: null });
  }

  #schedule(delay: number): void {
    this.#cancelTimer();
    if (this.#closing.signal.aborted) return;
    this.#set({ nextAt: this.clock.now() + delay });
    this.#cancelTimer = this.clock.after(delay, () => {
      this.#make('its end was near').catch(() => undefined);
    });
  }

  #set(change: Partial<LinkState>): void {
    this.state.value = { ...this.state.value, ...change };
  }
}
