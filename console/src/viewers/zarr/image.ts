import * as zarr from 'zarrita';
import { Gate } from '../../file/ranges';
import type { Plane } from './paint';
import { axisIndex, parsePyramid, type Pyramid } from './pyramid';
import { DirectoryStore, documentsOfV2, documentsOfV3 } from './store';
import type { LevelGrid, Tile } from './tiles';

type LevelArray = zarr.Array<zarr.DataType, DirectoryStore>;
type Chunk = zarr.Chunk<zarr.DataType>;

const KEPT_BYTES = 160_000_000;
const AT_ONCE = 8;

/** Where one looks along the axes that are not drawn. */
export type Position = Record<string, number>;

/** An image in several resolutions whose chunks are read when they come into sight. */
export class ZarrImage {
  readonly grids: LevelGrid[];
  readonly channelCount: number;
  readonly dtype: string;
  /** Axes to choose a place along: their names and lengths. */
  readonly sliders: { name: string; length: number }[];
  readonly #chunks = new Map<string, { chunk: Chunk | null; bytes: number }>();
  readonly #reading = new Map<string, Promise<void>>();
  readonly #gate = new Gate(AT_ONCE);
  #wanted = new Set<string>();

  private constructor(
    readonly pyramid: Pyramid,
    readonly version: 2 | 3,
    private readonly levels: LevelArray[],
    private readonly signal: AbortSignal,
  ) {
    const { axes } = pyramid;
    const [first] = levels;
    const channel = axisIndex(axes, 'c');
    this.channelCount = channel < 0 ? 1 : (first?.shape[channel] ?? 1);
    this.dtype = String(first?.dtype);
    this.grids = levels.map((_, level) => this.#gridOf(level));
    this.sliders = axes
      .map(({ name }, index) => ({ name, length: first?.shape[index] ?? 1 }))
      .filter(({ name, length }) => !['x', 'y', 'c'].includes(name) && length > 1);
  }

  /** `present`: the names at the top of the directory, so that what is missing need not be asked for; null if unknown. */
  static async open(
    store: DirectoryStore,
    present: string[] | null,
    signal: AbortSignal,
  ): Promise<ZarrImage> {
    const { attributes, version } = await readRoot(store, present);
    const pyramid = parsePyramid(attributes);
    const root = zarr.root(store);
    const levels = await Promise.all(
      pyramid.levels.map(({ path }) => {
        const location = root.resolve(path);
        return version === 3
          ? zarr.open.v3(location, { kind: 'array' })
          : zarr.open.v2(location, { kind: 'array', attrs: false });
      }),
    );
    return new ZarrImage(pyramid, version, levels, signal);
  }

  /** Numbers, of which a chunk is read for each channel: the key names all of them. */
  chunkKey(tile: Tile, channel: number, position: Position): string {
    return `${tile.level}:${this.#coordinates(tile, channel, position).join('/')}`;
  }

  /** The values of a channel in a tile; null while they are not there. */
  plane(tile: Tile, channel: number, position: Position): Plane | null {
    const chunk = this.#chunks.get(this.chunkKey(tile, channel, position))?.chunk;
    if (!chunk) return null;
    const { axes } = this.pyramid;
    const [y, x, c] = ['y', 'x', 'c'].map((name) => axisIndex(axes, name)) as [number, number, number];
    let offset = 0;
    axes.forEach(({ name }, axis) => {
      if (axis === y || axis === x) return;
      const index = axis === c ? channel : (position[name] ?? 0);
      offset += (index % (this.levels[tile.level]?.chunks[axis] ?? 1)) * (chunk.stride[axis] ?? 0);
    });
    return {
      data: chunk.data as ArrayLike<number | bigint>,
      offset,
      rowStride: chunk.stride[y] ?? 0,
      columnStride: chunk.stride[x] ?? 1,
    };
  }

  /** Reads chunks, in this order. What waited from before, and is not wanted any more, is dropped. */
  async want(tiles: Tile[], channels: number[], position: Position, onRead: () => void): Promise<void> {
    const wanted = tiles.flatMap((tile) => channels.map((channel) => ({ tile, channel })));
    this.#wanted = new Set(wanted.map(({ tile, channel }) => this.chunkKey(tile, channel, position)));
    const reads = wanted.map(({ tile, channel }) => {
      const key = this.chunkKey(tile, channel, position);
      if (this.#chunks.has(key)) return Promise.resolve();
      const coordinates = this.#coordinates(tile, channel, position);
      return this.#reading.get(key) ?? this.#read(key, tile.level, coordinates, onRead);
    });
    await Promise.all(reads);
  }

  #read(key: string, level: number, coordinates: number[], onRead: () => void): Promise<void> {
    const task = async () => {
      if (!this.#wanted.has(key) || this.signal.aborted) return;
      const chunk = await this.levels[level]?.getChunk(coordinates, { signal: this.signal });
      if (!chunk) return;
      this.#keep(key, chunk);
      onRead();
    };
    const reading = this.#gate.run(task).finally(() => this.#reading.delete(key));
    this.#reading.set(key, reading);
    return reading;
  }

  #keep(key: string, chunk: Chunk): void {
    const bytes = (chunk.data as { byteLength?: number }).byteLength ?? 0;
    this.#chunks.set(key, { chunk, bytes });
    let total = [...this.#chunks.values()].reduce((sum, other) => sum + other.bytes, 0);
    for (const [old, other] of this.#chunks) {
      if (total <= KEPT_BYTES || this.#wanted.has(old)) continue;
      this.#chunks.delete(old);
      total -= other.bytes;
    }
  }

  #coordinates(tile: Tile, channel: number, position: Position): number[] {
    const chunks = this.levels[tile.level]?.chunks ?? [];
    return this.pyramid.axes.map(({ name }, axis) => {
      if (name === 'y') return tile.row;
      if (name === 'x') return tile.column;
      const index = name === 'c' ? channel : (position[name] ?? 0);
      return Math.floor(index / (chunks[axis] ?? 1));
    });
  }

  #gridOf(level: number): LevelGrid {
    const { axes, levels } = this.pyramid;
    const [y, x] = [axisIndex(axes, 'y'), axisIndex(axes, 'x')];
    const { shape = [], chunks = [] } = this.levels[level] ?? {};
    const finest = this.levels[0]?.shape ?? [];
    // Scales would do too, but not all files have them.
    const factor = (axis: number) => (finest[axis] ?? 1) / (shape[axis] ?? 1);
    const scaled = (axis: number) => (levels[level]?.scale[axis] ?? 1) / (levels[0]?.scale[axis] ?? 1);
    const factorOf = (axis: number) => (scaled(axis) > 1 ? scaled(axis) : factor(axis));
    return {
      width: shape[x] ?? 1,
      height: shape[y] ?? 1,
      tileWidth: chunks[x] ?? 1,
      tileHeight: chunks[y] ?? 1,
      factorX: factorOf(x),
      factorY: factorOf(y),
    };
  }
}

/** The attributes of the group, with as few requests as its metadata allows. */
async function readRoot(store: DirectoryStore, present: string[] | null) {
  const has = (name: string) => present === null || present.includes(name);
  const v3 = has('zarr.json') ? await store.readJson('zarr.json') : null;
  if (v3) {
    const documents = documentsOfV3(v3);
    if (documents) store.consolidate(documents);
    return { attributes: (v3 as { attributes?: unknown }).attributes, version: 3 as const };
  }
  const consolidated = has('.zmetadata') ? await store.readJson('.zmetadata') : null;
  if (consolidated) store.consolidate(documentsOfV2(consolidated));
  return { attributes: await store.readJson('.zattrs'), version: 2 as const };
}
