import { FormatError } from '../../file/error';

/** OME-Zarr's metadata (https://ngff.openmicroscopy.org, 0.1 to 0.5), as far as a viewer needs it. */
export interface Pyramid {
  axes: Axis[];
  /** The finest one first. */
  levels: LevelPath[];
  channels: ChannelDefault[];
  name: string | null;
}

export interface Axis {
  name: string;
  type: 'space' | 'channel' | 'time' | 'other';
  unit: string | null;
}

export interface LevelPath {
  path: string;
  /** For each axis: how long a pixel is, in the axis' unit. */
  scale: number[];
}

/** What the file says about a channel: null where it says nothing. */
export interface ChannelDefault {
  label: string | null;
  colour: string | null;
  active: boolean;
  start: number | null;
  end: number | null;
}

type Json = Record<string, unknown>;

/** The first image of a group; throws if there is none. */
export function parsePyramid(attributes: unknown): Pyramid {
  const attrs = object(attributes);
  // From 0.5 on everything is beneath `ome`.
  const root = 'ome' in attrs ? object(attrs.ome) : attrs;
  const multiscale = object(array(root.multiscales)[0]);
  const datasets = array(multiscale.datasets).map(object);
  if (datasets.length === 0) throw new FormatError('This Zarr group has no image in several resolutions.');
  const axes = parseAxes(multiscale.axes);
  const outer = scaleOf(multiscale.coordinateTransformations, axes.length);
  const levels = datasets.map((dataset) => {
    const inner = scaleOf(dataset.coordinateTransformations, axes.length);
    return { path: String(dataset.path), scale: inner.map((value, index) => value * (outer[index] ?? 1)) };
  });
  return {
    axes,
    levels,
    channels: array(object(root.omero).channels).map(parseChannel),
    name: text(multiscale.name),
  };
}

/** Objects since 0.4, names in 0.3, and before that always these five. */
function parseAxes(value: unknown): Axis[] {
  const list = Array.isArray(value) ? (value as unknown[]) : ['t', 'c', 'z', 'y', 'x'];
  return list.map((axis) => {
    const name = typeof axis === 'string' ? axis : (text(object(axis).name) ?? '');
    const type = typeof axis === 'string' ? null : text(object(axis).type);
    return {
      name,
      type: axisType(name, type),
      unit: typeof axis === 'string' ? null : text(object(axis).unit),
    };
  });
}

function axisType(name: string, type: string | null): Axis['type'] {
  if (type === 'space' || type === 'channel' || type === 'time') return type;
  if (type !== null) return 'other';
  const known: Record<string, Axis['type']> = { t: 'time', c: 'channel', z: 'space', y: 'space', x: 'space' };
  return known[name] ?? 'other';
}

function scaleOf(transformations: unknown, axes: number): number[] {
  const scale = array(transformations)
    .map(object)
    .find(({ type }) => type === 'scale')?.scale;
  const numbers = array(scale).filter((value): value is number => typeof value === 'number' && value > 0);
  return numbers.length === axes ? numbers : new Array<number>(axes).fill(1);
}

function parseChannel(value: unknown): ChannelDefault {
  const channel = object(value);
  const window = object(channel.window);
  const colour = /^#?([0-9a-f]{6})/i.exec(text(channel.color) ?? '')?.[1];
  const number = (candidate: unknown) =>
    typeof candidate === 'number' && Number.isFinite(candidate) ? candidate : null;
  return {
    label: text(channel.label),
    colour: colour ? `#${colour.toLowerCase()}` : null,
    active: channel.active !== false,
    start: number(window.start),
    end: number(window.end),
  };
}

/** Where an axis is; -1 if there is none. */
export function axisIndex(axes: Axis[], name: string): number {
  return axes.findIndex((axis) => axis.name === name);
}

/** `1 px = 1.3 µm`: the unit as people write it. */
export function shortUnit(unit: string | null): string {
  const short: Record<string, string> = {
    micrometer: 'µm',
    micrometre: 'µm',
    nanometer: 'nm',
    nanometre: 'nm',
    millimeter: 'mm',
    millimetre: 'mm',
    meter: 'm',
    metre: 'm',
    angstrom: 'Å',
    second: 's',
    millisecond: 'ms',
  };
  return unit === null ? 'px' : (short[unit] ?? unit);
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function array(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
