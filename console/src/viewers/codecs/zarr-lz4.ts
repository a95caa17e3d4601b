import { decompressLz4Raw } from 'hyparquet-compressors/src/lz4.js';
import { readOnlyCodec } from './zarr-codec';

/** numcodecs' LZ4: the length as four bytes, little-endian, and a raw block. */
export default readOnlyCodec((bytes) => {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  return decompressLz4Raw(bytes.subarray(4), length);
});
