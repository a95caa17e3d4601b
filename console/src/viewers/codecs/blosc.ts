import { unzlibSync } from 'fflate';
import { decompress as unzstd } from 'fzstd';
import { decompressLz4Raw } from 'hyparquet-compressors/src/lz4.js';

// Blosc 1 chunks: https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst. In JavaScript, because the Content-Security-
// Policy allows no WebAssembly.

const HEADER = 16;
const FLAG_SHUFFLE = 1;
const FLAG_STORED = 2;
const FLAG_BITSHUFFLE = 4;
const FLAG_NOT_SPLIT = 16;

type Inflate = (bytes: Uint8Array, length: number) => Uint8Array;

const INFLATE: (Inflate | undefined)[] = [
  unblosclz,
  decompressLz4Raw,
  undefined, // Snappy: c-blosc is built without it
  (bytes) => unzlibSync(bytes),
  (bytes) => unzstd(bytes),
];

interface BloscHeader {
  flags: number;
  typeSize: number;
  length: number;
  blockSize: number;
}

/** The content of a Blosc chunk. */
export function decodeBlosc(chunk: Uint8Array): Uint8Array<ArrayBuffer> {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const header: BloscHeader = {
    flags: view.getUint8(2),
    typeSize: view.getUint8(3),
    length: view.getUint32(4, true),
    blockSize: view.getUint32(8, true),
  };
  const output = new Uint8Array(header.length);
  if (header.flags & FLAG_STORED) {
    output.set(chunk.subarray(HEADER, HEADER + header.length));
    return output;
  }
  const blocks = Math.ceil(header.length / header.blockSize);
  for (let block = 0; block < blocks; block += 1) {
    const at = block * header.blockSize;
    const length = Math.min(header.blockSize, header.length - at);
    const start = view.getUint32(HEADER + block * 4, true);
    output.set(decodeBlock(view, start, length, header), at);
  }
  return output;
}

function decodeBlock(view: DataView, start: number, length: number, header: BloscHeader): Uint8Array {
  const inflate = INFLATE[header.flags >> 5];
  if (!inflate) throw new Error(`Blosc with the compressor ${header.flags >> 5} is not known`);
  // A whole block is split into one stream for each byte of the type; the shorter last block is not.
  const split = !(header.flags & FLAG_NOT_SPLIT) && length === header.blockSize;
  const streams = split ? header.typeSize : 1;
  const size = length / streams;
  const block = new Uint8Array(length);
  let position = start;
  for (let stream = 0; stream < streams; stream += 1) {
    const compressed = view.getInt32(position, true);
    position += 4;
    const bytes = new Uint8Array(view.buffer, view.byteOffset + position, compressed);
    // A stream that does not get smaller is stored.
    block.set(compressed === size ? bytes : inflate(bytes, size), stream * size);
    position += compressed;
  }
  if (header.flags & FLAG_SHUFFLE && header.typeSize > 1) return unshuffle(block, header.typeSize);
  if (header.flags & FLAG_BITSHUFFLE) return unshuffleBits(block, header.typeSize);
  return block;
}

/** Brings together the bytes of each value: they are stored by their place in it. Bytes beyond whole values stay as they are. */
export function unshuffle(bytes: Uint8Array, typeSize: number): Uint8Array {
  const values = Math.floor(bytes.length / typeSize);
  const output = new Uint8Array(bytes.length);
  for (let place = 0; place < typeSize; place += 1) {
    for (let index = 0; index < values; index += 1) {
      output[index * typeSize + place] = bytes[place * values + index] ?? 0;
    }
  }
  output.set(bytes.subarray(values * typeSize), values * typeSize);
  return output;
}

/** The same for bits, if the values are a multiple of eight. Else c-blosc stores the block as it is. */
export function unshuffleBits(bytes: Uint8Array, typeSize: number): Uint8Array {
  const values = Math.floor(bytes.length / typeSize);
  if (values % 8 > 0) return bytes;
  const output = new Uint8Array(bytes.length);
  const row = values / 8;
  for (let bit = 0; bit < typeSize * 8; bit += 1) {
    for (let group = 0; group < row; group += 1) {
      const byte = bytes[bit * row + group] ?? 0;
      for (let of8 = 0; byte >> of8; of8 += 1) {
        if (!((byte >> of8) & 1)) continue;
        const at = (group * 8 + of8) * typeSize + (bit >> 3);
        output[at] = (output[at] ?? 0) | (1 << (bit & 7));
      }
    }
  }
  output.set(bytes.subarray(values * typeSize), values * typeSize);
  return output;
}

/** BloscLZ, a variant of FastLZ: https://github.com/Blosc/c-blosc/blob/main/blosc/blosclz.c, `blosclz_decompress`. */
function unblosclz(input: Uint8Array, length: number): Uint8Array {
  const output = new Uint8Array(length);
  let from = 0;
  let to = 0;
  const next = () => input[from++] ?? 0;
  let control = next() & 31;
  for (;;) {
    if (control >= 32) {
      let count = (control >> 5) - 1;
      let distance = (control & 31) << 8;
      let code = 0;
      if (count === 6) {
        do {
          code = next();
          count += code;
        } while (code === 255);
      }
      code = next();
      distance += code;
      // The longest near distance announces a far one, of 16 bits.
      if (code === 255 && distance === (31 << 8) + 255) distance = (next() << 8) + next() + 8191;
      count += 3;
      for (let at = to - distance - 1; count > 0; count -= 1) output[to++] = output[at++] ?? 0;
    } else {
      const count = control + 1;
      output.set(input.subarray(from, from + count), to);
      from += count;
      to += count;
    }
    if (from >= input.length || to >= length) return output;
    control = next();
  }
}
