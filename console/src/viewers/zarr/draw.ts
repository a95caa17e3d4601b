import type { PanZoom, Size } from '../panzoom/view';
import type { Channel } from './channels';
import type { Position, ZarrImage } from './image';
import { paintPlanes } from './paint';
import { keyOf, placeOf, tilesInSight, type Tile } from './tiles';

const KEPT_TILES = 400;

/** What is drawn. */
export interface Scene {
  view: PanZoom;
  box: Size;
  level: number;
  channels: Channel[];
  position: Position;
}

/** Draws the tiles that are there: coarser ones beneath, until the finer ones have come. */
export class TilePainter {
  readonly #painted = new Map<string, HTMLCanvasElement>();
  #look = '';

  constructor(private readonly image: ZarrImage) {}

  draw(canvas: HTMLCanvasElement, scene: Scene): void {
    const context = canvas.getContext('2d');
    if (!context) return;
    this.#forgetOtherLooks(scene);
    const ratio = devicePixelRatio;
    const [width, height] = [Math.round(scene.box.width * ratio), Math.round(scene.box.height * ratio)];
    // Setting the size clears the canvas, also when it stays the same.
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, scene.box.width, scene.box.height);
    for (let level = this.image.grids.length - 1; level >= scene.level; level -= 1)
      this.#drawLevel(context, scene, level);
  }

  #drawLevel(context: CanvasRenderingContext2D, scene: Scene, level: number): void {
    const grid = this.image.grids[level];
    if (!grid) return;
    // Enlarged pixels have edges: what is measured is seen.
    context.imageSmoothingEnabled = grid.factorX * scene.view.scale < 2;
    for (const tile of tilesInSight(grid, level, scene.view, scene.box)) {
      const painted = this.#paint(tile, scene);
      if (!painted) continue;
      const { x, y, width, height } = placeOf(tile, grid, scene.view);
      // Whole pixels leave no seams between tiles.
      const [left, top] = [Math.floor(x), Math.floor(y)];
      context.drawImage(painted, left, top, Math.ceil(x + width) - left, Math.ceil(y + height) - top);
    }
  }

  #paint(tile: Tile, scene: Scene): HTMLCanvasElement | null {
    const key = keyOf(tile);
    const known = this.#painted.get(key);
    if (known) return known;
    const planes = [];
    for (const [index, channel] of scene.channels.entries()) {
      if (!channel.active) continue;
      const plane = this.image.plane(tile, index, scene.position);
      if (!plane) return null;
      planes.push({ plane, paint: channel });
    }
    const grid = this.image.grids[tile.level];
    if (!grid) return null;
    const { pixels } = placeOf(tile, grid, scene.view);
    const canvas = document.createElement('canvas');
    Object.assign(canvas, pixels);
    const data = new ImageData(paintPlanes(planes, pixels.width, pixels.height), pixels.width, pixels.height);
    canvas.getContext('2d')?.putImageData(data, 0, 0);
    this.#painted.set(key, canvas);
    const [oldest] = this.#painted.keys();
    if (this.#painted.size > KEPT_TILES && oldest !== undefined) this.#painted.delete(oldest);
    return canvas;
  }

  #forgetOtherLooks({ channels, position }: Scene): void {
    const look = JSON.stringify([channels, position]);
    if (look !== this.#look) this.#painted.clear();
    this.#look = look;
  }
}
