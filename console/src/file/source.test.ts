import { describe, expect, it } from 'vitest';
import { FileError } from './error';
import { LinkKeeper } from './link';
import { Gate, RangeReader } from './ranges';
import { FileSource, urlOf } from './source';
import { TestClock, settle, testLink } from './testing';
import { Traffic, addRange, coveredBytes } from './traffic';

const CONTENT = new TextEncoder().encode('0123456789');

type Answer = (url: string, range: string | null, signal: AbortSignal | null) => Response | Promise<Response>;

function sourceOf(answer: Answer, clock = new TestClock()) {
  let made = 0;
  const urls: string[] = [];
  const keeper = new LinkKeeper(() => Promise.resolve(testLink(clock, ++made)), clock);
  const traffic = new Traffic(() => clock.now());
  const source = new FileSource(keeper, traffic, clock, (url, init) => {
    urls.push(url);
    const { range = null } = init.headers as { range?: string };
    return Promise.resolve(answer(url, range, init.signal ?? null));
  });
  return { source, clock, traffic, urls, made: () => made };
}

function part(range: string | null): Response {
  const found = /^bytes=(\d+)-(\d+)$/.exec(range ?? '');
  if (!found) return new Response(CONTENT, { headers: { 'content-length': '10' } });
  const [start, end] = [Number(found[1]), Number(found[2])];
  if (start >= CONTENT.length)
    return new Response('', { status: 416, headers: { 'content-range': 'bytes */10' } });
  return new Response(CONTENT.slice(start, end + 1), {
    status: 206,
    headers: { 'content-range': `bytes ${start}-${end}/10` },
  });
}

const text = (bytes: ArrayBuffer | Uint8Array<ArrayBuffer>) => new TextDecoder().decode(bytes);

describe('reading through a link', () => {
  it('reads parts, counts them, and knows the whole size', async () => {
    const { source, traffic } = sourceOf((_, range) => part(range));
    const piece = await source.read({ range: { start: 2, end: 5 } });
    expect(text(piece.bytes)).toBe('234');
    expect(piece.total).toBe(10);
    const behind = await source.read({ range: { start: 10, end: 20 } });
    expect(behind).toMatchObject({ total: 10, bytes: new Uint8Array() });
    expect(traffic.snapshot()).toMatchObject({
      requests: 2,
      bytes: 3,
      ranges: [{ start: 2, end: 5 }],
      running: [],
    });
    expect(traffic.snapshot().recent.map(({ status }) => status)).toEqual([416, 206]);
  });

  it('cuts the part out if a server ignores ranges', async () => {
    const { source } = sourceOf(() => part(null));
    expect(text((await source.read({ range: { start: 1, end: 4 } })).bytes)).toBe('123');
  });

  it('makes a new link when one is refused, and reads on', async () => {
    const { source, urls, made } = sourceOf((url, range) =>
      url.endsWith('link=1')
        ? new Response('<Error><Code>AccessDenied</Code></Error>', { status: 403 })
        : part(range),
    );
    expect(text((await source.read()).bytes)).toBe('0123456789');
    expect(made()).toBe(2);
    expect(urls).toHaveLength(2);
  });

  it('knows the 400 of credentials that have ended', async () => {
    const { source, made } = sourceOf((url) =>
      url.endsWith('link=1')
        ? new Response('<Error><Code>ExpiredToken</Code></Error>', { status: 400 })
        : part(null),
    );
    await source.read();
    expect(made()).toBe(2);
  });

  it('says so when the new link is refused too, after two requests', async () => {
    const { source, urls } = sourceOf(() => new Response('', { status: 403 }));
    await expect(source.read()).rejects.toMatchObject({ kind: 'refused', status: 403 });
    expect(urls).toHaveLength(2);
  });

  it('waits as long as storage asks for, and tries four times', async () => {
    const { source, clock, urls, traffic } = sourceOf(
      () => new Response('', { status: 503, headers: { 'retry-after': '7' } }),
    );
    const reading = source.read().catch((error: unknown) => error);
    await clock.pass(6_000);
    expect(urls).toHaveLength(1);
    expect(traffic.snapshot().waiting?.until).toBe(clock.now() + 1_000);
    await clock.pass(60_000);
    expect(urls).toHaveLength(4);
    expect(await reading).toMatchObject({ kind: 'busy', status: 503 });
    expect(traffic.snapshot().waiting).toBeNull();
  });

  it('asks for no other link when the object is archived', async () => {
    const body = '<Error><Code>InvalidObjectState</Code></Error>';
    const { source, urls } = sourceOf(() => new Response(body, { status: 403 }));
    await expect(source.read()).rejects.toMatchObject({ kind: 'archived', status: 403 });
    expect(urls).toHaveLength(1);
  });

  it('does not repeat what is missing', async () => {
    const { source, urls } = sourceOf(() => new Response('', { status: 404 }));
    await expect(source.read()).rejects.toMatchObject({ kind: 'missing' });
    expect(urls).toHaveLength(1);
  });

  it('tells a network that fails', async () => {
    const { source, clock, urls } = sourceOf(() => Promise.reject(new TypeError('Failed to fetch')));
    const reading = source.read().catch((error: unknown) => error);
    await clock.pass(10_000);
    expect(await reading).toMatchObject({ kind: 'network' });
    expect(urls).toHaveLength(3);
  });

  it('ends a request for which nothing comes, and tries again', async () => {
    let calls = 0;
    const { source, clock } = sourceOf((_, range, signal) => {
      calls += 1;
      if (calls > 1) return part(range);
      return new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
      });
    });
    const reading = source.read();
    await clock.pass(31_000);
    expect(text((await reading).bytes)).toBe('0123456789');
  });

  it('stops waiting when the reader has gone', async () => {
    const { source, clock, urls } = sourceOf(() => new Response('', { status: 503 }));
    const controller = new AbortController();
    const reading = source.read({ signal: controller.signal }).catch((error: unknown) => error);
    await settle();
    controller.abort();
    expect(await reading).toMatchObject({ name: 'AbortError' });
    await clock.pass(60_000);
    expect(urls).toHaveLength(1);
  });

  it('spells objects beneath a directory', () => {
    const link = { ...testLink(new TestClock(), 1, 'cdn'), url: 'https://cdn/a%20b/', query: 'P=1' };
    expect(urlOf(link, '0/c d/?#.json')).toBe('https://cdn/a%20b/0/c%20d/%3F%23.json?P=1');
  });
});

describe('ranges of a file', () => {
  it('are fetched once, also by many who ask at once, and for parts of them', async () => {
    const { source, urls } = sourceOf((_, range) => part(range));
    const reader = new RangeReader(source, 10);
    const read = await Promise.all([
      reader.slice(2, 8),
      reader.slice(2, 8),
      reader.slice(3, 5),
      reader.slice(-7, -3),
    ]);
    expect(read.map(text)).toEqual(['234567', '234567', '34', '3456']);
    expect(urls).toHaveLength(1);
    expect(text(await reader.slice(8))).toBe('89');
    expect(text(await reader.slice(5, 5))).toBe('');
    expect(urls).toHaveLength(2);
  });

  it('that failed are read anew', async () => {
    let fails = true;
    const { source } = sourceOf((_, range) => (fails ? new Response('', { status: 404 }) : part(range)));
    const reader = new RangeReader(source, 10);
    await expect(reader.slice(0, 2)).rejects.toBeInstanceOf(FileError);
    fails = false;
    expect(text(await reader.slice(0, 2))).toBe('01');
  });

  it('are joined where they touch', () => {
    const ranges = [
      { start: 5, end: 8 },
      { start: 0, end: 2 },
      { start: 8, end: 9 },
      { start: 1, end: 3 },
    ].reduce(addRange, []);
    expect(ranges).toEqual([
      { start: 0, end: 3 },
      { start: 5, end: 9 },
    ]);
    expect(coveredBytes(ranges)).toBe(7);
  });

  it('wait their turn', async () => {
    const gate = new Gate(2);
    let running = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 9 }, () =>
        gate.run(async () => {
          most = Math.max(most, ++running);
          await settle();
          running -= 1;
        }),
      ),
    );
    expect(most).toBe(2);
    expect(running).toBe(0);
  });
});
