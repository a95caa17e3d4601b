import Blosc from '../../../node_modules/numcodecs/dist/blosc.js';
import { describe, expect, it } from 'vitest';
import { decodeBlosc } from './blosc';

// An image-like ramp with noise, and a length that is no multiple of the block and of eight values
const CONTENT = new Uint8Array(
  Uint16Array.from({ length: 70_003 }, (_, index) => (index >> 4) + ((index * 2_654_435_761) >>> 29)).buffer,
);

interface Options {
  cname: string;
  shuffle: number;
  blocksize?: number;
  clevel?: number;
}

async function encode(content: Uint8Array, options: Options): Promise<Uint8Array> {
  const config: unknown = { id: 'blosc', clevel: 5, blocksize: 0, ...options };
  return Blosc.fromConfig(config as Parameters<typeof Blosc.fromConfig>[0]).encode(content);
}

describe('Blosc', () => {
  const compressors = ['lz4', 'lz4hc', 'zstd', 'zlib', 'blosclz'];
  const cases = compressors.flatMap((cname) => [0, 1, 2].map((shuffle) => ({ cname, shuffle })));

  it.each(cases)('is decoded as numcodecs encodes it: $cname, shuffle $shuffle', async (options) => {
    for (const blocksize of [0, 4096]) {
      const encoded = await encode(CONTENT, { ...options, blocksize });
      expect(Buffer.compare(decodeBlosc(encoded), CONTENT)).toBe(0);
    }
  });

  it('is decoded where nothing is compressed', async () => {
    const noise = Uint8Array.from({ length: 5000 }, (_, index) => (index * 2_654_435_761) >>> 24);
    expect(decodeBlosc(await encode(noise, { cname: 'lz4', shuffle: 0, clevel: 0 }))).toEqual(noise);
    expect(decodeBlosc(await encode(noise.slice(0, 7), { cname: 'lz4', shuffle: 1 }))).toEqual(
      noise.slice(0, 7),
    );
  });
});
