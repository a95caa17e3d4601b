import { describe, expect, it } from 'vitest';
import { ApiError } from '../api/problem';
import type { RequestOptions } from '../api/client';
import { LinkKeeper, obtainLink, type LinkTarget } from './link';
import { TestClock, settle, testLink } from './testing';

const TARGET: LinkTarget = { datasetId: 'N:dataset:1', packageId: 'N:package:2', route: 's3', path: null };

function keeperOf(clock: TestClock, seconds = 3600) {
  let made = 0;
  const keeper = new LinkKeeper(() => Promise.resolve(testLink(clock, ++made, 's3', seconds)), clock);
  return { keeper, made: () => made };
}

function problem(status: number) {
  return new ApiError({ status, title: 'No', detail: '', type: '', requestId: null, retryAfter: null });
}

describe('the life of a link', () => {
  it('is made once for all who ask at the same time, and kept', async () => {
    const { keeper, made } = keeperOf(new TestClock());
    const [one, two] = await Promise.all([keeper.current(), keeper.current()]);
    expect(one).toBe(two);
    expect(await keeper.current()).toBe(one);
    expect(made()).toBe(1);
  });

  it('is renewed a minute before its end, by itself and time and again', async () => {
    const clock = new TestClock();
    const { keeper, made } = keeperOf(clock);
    await keeper.current();
    await clock.pass(3_539_000);
    expect(made()).toBe(1);
    await clock.pass(2_000);
    expect(made()).toBe(2);
    expect(keeper.state.value.renewals).toEqual([{ at: clock.now() - 1_000, reason: 'its end was near' }]);
    await clock.pass(3_541_000);
    expect(made()).toBe(3);
    keeper.close();
    await clock.pass(10_000_000);
    expect(made()).toBe(3);
  });

  it('of a minute is renewed when four fifths of it have passed', async () => {
    const clock = new TestClock();
    const { keeper, made } = keeperOf(clock, 60);
    await keeper.current();
    await clock.pass(47_000);
    expect(made()).toBe(1);
    await clock.pass(2_000);
    expect(made()).toBe(2);
  });

  it('is not asked for in a loop when its new text ends as soon as the old one', async () => {
    const clock = new TestClock();
    let made = 0;
    const end = clock.now() + 3_600_000;
    const keeper = new LinkKeeper(() => {
      made += 1;
      return Promise.resolve({ ...testLink(clock, made), expiresAt: end });
    }, clock);
    await keeper.current();
    await clock.pass(3_545_000);
    expect(made).toBeLessThan(4);
  });

  it('is replaced once by those who saw it refused', async () => {
    const { keeper, made } = keeperOf(new TestClock());
    const refused = await keeper.current();
    const [one, two] = await Promise.all([keeper.replace(refused), keeper.replace(refused)]);
    expect(one).toBe(two);
    expect(await keeper.replace(refused)).toBe(one);
    expect(made()).toBe(2);
    expect(keeper.state.value.renewals.map(({ reason }) => reason)).toEqual(['it was refused']);
  });

  it('goes on while its renewal fails, and is tried again', async () => {
    const clock = new TestClock();
    let fails = false;
    let asked = 0;
    const keeper = new LinkKeeper(() => {
      asked += 1;
      return fails ? Promise.reject(problem(503)) : Promise.resolve(testLink(clock, asked));
    }, clock);
    const first = await keeper.current();
    fails = true;
    await clock.pass(3_541_000);
    expect(keeper.state.value.error).toBeInstanceOf(ApiError);
    expect(await keeper.current()).toBe(first);
    fails = false;
    await clock.pass(16_000);
    expect(keeper.state.value.error).toBeNull();
    expect(keeper.state.value.link).not.toBe(first);
  });

  it('ends when the role has ended: nothing asks again by itself', async () => {
    const clock = new TestClock();
    let asked = 0;
    const keeper = new LinkKeeper(() => {
      asked += 1;
      return asked > 1 ? Promise.reject(problem(403)) : Promise.resolve(testLink(clock, asked));
    }, clock);
    await keeper.current();
    await clock.pass(4_000_000);
    expect(asked).toBe(2);
    expect(keeper.state.value.nextAt).toBeNull();
    await expect(keeper.current()).rejects.toMatchObject({ status: 403 });
  });

  it('is asked for again after its end, as after the sleep of a computer', async () => {
    const clock = new TestClock();
    let made = 0;
    const keeper = new LinkKeeper(
      () => {
        made += 1;
        return Promise.resolve(testLink(clock, made));
      },
      { now: () => clock.now(), after: () => () => undefined },
    );
    const first = await keeper.current();
    await clock.pass(3_600_001);
    expect(await keeper.current()).not.toBe(first);
    await settle();
  });
});

describe('asking the API', () => {
  const ask = async (target: LinkTarget, answer: unknown) => {
    const asked: { path: string; options: RequestOptions }[] = [];
    const request = <T>(path: string, options: RequestOptions) => {
      asked.push({ path, options });
      return Promise.resolve(answer as T);
    };
    return { link: await obtainLink(request, target, new TestClock()), asked: asked[0]! };
  };
  const presigned = {
    presigned_url: 'https://s3.example.org/key?X-Amz-Signature=1',
    proxy_url: 'https://api.example.org/packages/proxy/s3/a.csv?presigned_url=x',
    expires_at: 2,
    filename: 'a.csv',
    size: 7,
  };

  it('gives S3, and the proxy, from one answer', async () => {
    const s3 = await ask(TARGET, presigned);
    expect(s3.asked.path).toBe('/presign/s3');
    expect(s3.asked.options.query).toMatchObject({ redirect: false, path: null, disposition: null });
    expect(s3.link).toMatchObject({ url: presigned.presigned_url, expiresAt: 2000, size: 7, query: null });
    const proxy = await ask({ ...TARGET, route: 'proxy' }, presigned);
    expect(proxy.link.url).toBe(presigned.proxy_url);
    await expect(ask({ ...TARGET, route: 'proxy' }, { ...presigned, proxy_url: null })).rejects.toThrow(
      /proxy/,
    );
  });

  it('gives an object and a directory of the CDN', async () => {
    const object = await ask(
      { ...TARGET, route: 'cdn', path: 'a.parquet' },
      { signed_url: 'https://cdn/a?S=1', expires_at: 3 },
    );
    expect(object.link).toMatchObject({ url: 'https://cdn/a?S=1', query: null });
    const directory = await ask(
      { ...TARGET, route: 'cdn', path: 'a b.zarr/' },
      {
        signed_url: 'https://cdn/a%20b.zarr/?P=1',
        resource: 'https://cdn/a%20b.zarr/*',
        query: 'P=1',
        expires_at: 3,
      },
    );
    expect(directory.asked.options.query).toMatchObject({ path: 'a b.zarr/' });
    expect(directory.link).toMatchObject({ url: 'https://cdn/a%20b.zarr/', query: 'P=1' });
  });
});
