// OME-Zarr 0.5 (Zarr version 3): a small image of two channels in two resolutions.
import { gzipSync } from 'node:zlib';

const SIDE = 256;
const CHUNK = 64;
const LEVELS = [SIDE, SIDE / 2];

/** Plain: each chunk of 128 × 128 pixels is an object, packed with gzip. One of them is missing: it has the fill value. */
export function plainZarr() {
  const files = { 'zarr.json': root() };
  LEVELS.forEach((side, level) => {
    const chunk = Math.min(side, 128);
    const codecs = [LITTLE, { name: 'gzip', configuration: { level: 5 } }];
    files[`${level}/zarr.json`] = arrayMetadata(side, chunk, codecs);
    for (const [channel, row, column] of places(side / chunk))
      files[`${level}/c/${channel}/${row}/${column}`] = gzipSync(pixels(channel, row, column, chunk));
  });
  delete files['0/c/1/1/1'];
  return asBytes(files);
}

/** Sharded: an object has all chunks of a channel, of 64 × 64 pixels, and where they are stands at its end. */
export function shardedZarr() {
  const files = { 'zarr.json': root() };
  LEVELS.forEach((side, level) => {
    const configuration = {
      chunk_shape: [1, CHUNK, CHUNK],
      codecs: [LITTLE],
      index_codecs: [LITTLE, { name: 'crc32c' }],
      index_location: 'end',
    };
    files[`${level}/zarr.json`] = arrayMetadata(side, side, [{ name: 'sharding_indexed', configuration }]);
    for (const channel of [0, 1]) files[`${level}/c/${channel}/0/0`] = shard(channel, side / CHUNK);
  });
  return asBytes(files);
}

const LITTLE = { name: 'bytes', configuration: { endian: 'little' } };

function root() {
  const scale = (factor) => [{ type: 'scale', scale: [1, factor, factor] }];
  const axes = [
    { name: 'c', type: 'channel' },
    { name: 'y', type: 'space', unit: 'micrometer' },
    { name: 'x', type: 'space', unit: 'micrometer' },
  ];
  const datasets = LEVELS.map((_, level) => ({
    path: String(level),
    coordinateTransformations: scale(2 ** level),
  }));
  const channel = (label, color) => ({ label, color, active: true, window: { start: 0, end: 4000 } });
  const ome = {
    version: '0.5',
    multiscales: [{ name: 'rings', axes, datasets }],
    omero: { channels: [channel('rings', '00FF00'), channel('ramp', 'FF00FF')] },
  };
  return { zarr_format: 3, node_type: 'group', attributes: { ome } };
}

function arrayMetadata(side, chunk, codecs) {
  return {
    zarr_format: 3,
    node_type: 'array',
    shape: [2, side, side],
    data_type: 'uint16',
    chunk_grid: { name: 'regular', configuration: { chunk_shape: [1, chunk, chunk] } },
    chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
    fill_value: 0,
    codecs,
    attributes: {},
  };
}

function places(count) {
  const numbers = [...Array(count).keys()];
  return [0, 1].flatMap((channel) =>
    numbers.flatMap((row) => numbers.map((column) => [channel, row, column])),
  );
}

function pixels(channel, row, column, chunk) {
  const values = Uint16Array.from({ length: chunk * chunk }, (_, index) => {
    const [y, x] = [row * chunk + Math.floor(index / chunk), column * chunk + (index % chunk)];
    return channel === 0 ? 2000 + 1900 * Math.sin(Math.hypot(x - 128, y - 128) / 6) : x * 12;
  });
  return Buffer.from(values.buffer);
}

/** A shard: its chunks, the place and the length of each, and a checksum of these. */
function shard(channel, count) {
  const chunks = places(count)
    .filter(([of]) => of === channel)
    .map(([, row, column]) => pixels(channel, row, column, CHUNK));
  const index = Buffer.alloc(16 * chunks.length);
  let offset = 0;
  chunks.forEach((chunk, at) => {
    index.writeBigUInt64LE(BigInt(offset), 16 * at);
    index.writeBigUInt64LE(BigInt(chunk.length), 16 * at + 8);
    offset += chunk.length;
  });
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(crc32c(index));
  return Buffer.concat([...chunks, index, checksum]);
}

/** CRC-32C (RFC 3720, appendix B.4). */
function crc32c(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

function asBytes(files) {
  return Object.fromEntries(
    Object.entries(files).map(([path, content]) => [
      path,
      Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content)),
    ]),
  );
}
