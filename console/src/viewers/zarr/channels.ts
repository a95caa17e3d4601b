import { autoContrast } from './paint';
import type { Position, ZarrImage } from './image';

/** How a channel is shown. */
export interface Channel {
  label: string;
  colour: string;
  active: boolean;
  /** The value that is black. */
  start: number;
  /** The value that has the full colour. */
  end: number;
  /** What the sliders go from and to. */
  least: number;
  most: number;
}

const COLOURS = ['#2f6bff', '#ffa83d', '#3ddc84', '#ff4fa3', '#b18cff', '#ffffff'];
const RGB = ['#ff0000', '#00ff00', '#0000ff'];
const SHOWN_AT_FIRST = 4;

const BITS: Record<string, number> = { uint8: 255, int8: 127, bool: 1 };

/** As the file says; else by what its coarsest level has. Three channels of bytes are red, green and blue. */
export async function defaultChannels(image: ZarrImage): Promise<Channel[]> {
  const { pyramid, channelCount, dtype } = image;
  const rgb = channelCount === 3 && dtype === 'uint8' && pyramid.channels.length === 0;
  const channels: Channel[] = [];
  const missing: number[] = [];
  for (let index = 0; index < channelCount; index += 1) {
    const given = pyramid.channels[index];
    const most = BITS[dtype];
    const range = rgb || most !== undefined ? { start: 0, end: most ?? 255 } : null;
    const window =
      given?.start != null && given.end !== null ? { start: given.start, end: given.end } : range;
    if (!window) missing.push(index);
    channels.push({
      label: given?.label ?? (rgb ? (['Red', 'Green', 'Blue'][index] ?? '') : `Channel ${index + 1}`),
      colour:
        given?.colour ??
        (rgb ? RGB[index] : channelCount === 1 ? '#ffffff' : COLOURS[index % COLOURS.length]) ??
        '#ffffff',
      active: given ? given.active : index < SHOWN_AT_FIRST,
      ...(window ?? { start: 0, end: 1 }),
      least: 0,
      most: most ?? Math.max((window?.end ?? 1) * 2, 1),
    });
  }
  for (const index of missing) {
    if (!channels[index]?.active) continue;
    channels[index] = { ...channels[index], ...(await measure(image, index, {})) };
  }
  return channels;
}

/** Contrast by the middle of the coarsest level. */
export async function measure(image: ZarrImage, channel: number, position: Position) {
  const level = image.grids.length - 1;
  const grid = image.grids[level];
  if (!grid) return { start: 0, end: 1 };
  const tile = {
    level,
    column: Math.floor((Math.ceil(grid.width / grid.tileWidth) - 1) / 2),
    row: Math.floor((Math.ceil(grid.height / grid.tileHeight) - 1) / 2),
  };
  await image.want([tile], [channel], position, () => undefined);
  const plane = image.plane(tile, channel, position);
  if (!plane) return { start: 0, end: 1 };
  const contrast = autoContrast(
    plane,
    Math.min(grid.tileWidth, grid.width - tile.column * grid.tileWidth),
    Math.min(grid.tileHeight, grid.height - tile.row * grid.tileHeight),
  );
  const spread = contrast.end - contrast.start;
  return { ...contrast, least: Math.min(0, contrast.start - spread), most: contrast.end + spread };
}
