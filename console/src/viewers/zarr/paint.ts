/** One channel of a chunk: values by row and column, somewhere in the chunk's array. */
export interface Plane {
  data: ArrayLike<number | bigint>;
  offset: number;
  rowStride: number;
  columnStride: number;
}

export interface ChannelPaint {
  colour: string;
  /** What is black. */
  start: number;
  /** What is the full colour. */
  end: number;
}

/** Adds up the channels as light: RGBA, a row after the other. */
export function paintPlanes(
  planes: { plane: Plane; paint: ChannelPaint }[],
  width: number,
  height: number,
): Uint8ClampedArray<ArrayBuffer> {
  const sums = new Float32Array(width * height * 3);
  for (const { plane, paint } of planes) addPlane(sums, plane, paint, width);
  const pixels = new Uint8ClampedArray(width * height * 4);
  for (let index = 0; index < width * height; index += 1) {
    pixels[index * 4] = sums[index * 3] ?? 0;
    pixels[index * 4 + 1] = sums[index * 3 + 1] ?? 0;
    pixels[index * 4 + 2] = sums[index * 3 + 2] ?? 0;
    pixels[index * 4 + 3] = 255;
  }
  return pixels;
}

function addPlane(
  sums: Float32Array,
  plane: Plane,
  { colour, start, end }: ChannelPaint,
  width: number,
): void {
  const [red, green, blue] = parseColour(colour);
  const range = end - start || 1;
  const { data, offset, rowStride, columnStride } = plane;
  let at = 0;
  for (let row = 0; at < sums.length; row += 1) {
    for (let column = 0; column < width; column += 1, at += 3) {
      const value = Number(data[offset + row * rowStride + column * columnStride]);
      const share = Math.min(Math.max((value - start) / range, 0), 1) || 0;
      sums[at] = (sums[at] ?? 0) + share * red;
      sums[at + 1] = (sums[at + 1] ?? 0) + share * green;
      sums[at + 2] = (sums[at + 2] ?? 0) + share * blue;
    }
  }
}

/** Of `#rrggbb`, 0 to 255 each. */
export function parseColour(colour: string): [number, number, number] {
  const value = Number.parseInt(colour.slice(1), 16) || 0;
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

const SAMPLES = 20_000;

/** Between which values most of a plane lies: what is darker and lighter is of no interest. */
export function autoContrast(plane: Plane, width: number, height: number): { start: number; end: number } {
  const step = Math.max(Math.ceil(Math.sqrt((width * height) / SAMPLES)), 1);
  const values: number[] = [];
  for (let row = 0; row < height; row += step) {
    for (let column = 0; column < width; column += step) {
      const value = Number(plane.data[plane.offset + row * plane.rowStride + column * plane.columnStride]);
      if (Number.isFinite(value)) values.push(value);
    }
  }
  values.sort((a, b) => a - b);
  const at = (share: number) => values[Math.min(Math.floor(values.length * share), values.length - 1)] ?? 0;
  const [start, end] = [at(0.02), at(0.998)];
  return end > start ? { start, end } : { start, end: start + 1 };
}
