import { decompress as unzstd } from 'fzstd';
import type { Compressors } from 'hyparquet';
import { decompressBrotli } from 'hyparquet-compressors/src/brotli.js';
import { gunzip } from 'hyparquet-compressors/src/gzip.js';
import { decompressLz4, decompressLz4Raw } from 'hyparquet-compressors/src/lz4.js';

/** All but Snappy, which hyparquet brings along. In JavaScript: the Content-Security-Policy allows no WebAssembly. */
export const compressors: Compressors = {
  GZIP: (input, length) => gunzip(input, new Uint8Array(length)),
  BROTLI: decompressBrotli,
  ZSTD: (input) => unzstd(input),
  LZ4: decompressLz4,
  LZ4_RAW: decompressLz4Raw,
};
