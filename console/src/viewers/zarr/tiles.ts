import type { PanZoom, Size } from '../panzoom/view';

/** A level as it is drawn: its size and that of its chunks, and how many pixels of the finest level one of its pixels is. */
export interface LevelGrid {
  width: number;
  height: number;
  tileWidth: number;
  tileHeight: number;
  factorX: number;
  factorY: number;
}

export interface Tile {
  level: number;
  column: number;
  row: number;
}

/** The coarsest level whose pixels are not larger than those of the screen; the finest one if all are. */
export function chooseLevel(levels: LevelGrid[], scale: number, pixelRatio: number): number {
  for (let level = levels.length - 1; level > 0; level -= 1) {
    const { factorX = 1, factorY = 1 } = levels[level] ?? {};
    // A little coarser is not seen, and takes a quarter of the chunks.
    if (Math.max(factorX, factorY) * scale * pixelRatio <= 1.15) return level;
  }
  return 0;
}

/** The tiles of a level that are in sight, those in the middle first. */
export function tilesInSight(grid: LevelGrid, level: number, view: PanZoom, box: Size): Tile[] {
  const width = grid.tileWidth * grid.factorX * view.scale;
  const height = grid.tileHeight * grid.factorY * view.scale;
  const columns = Math.ceil(grid.width / grid.tileWidth);
  const rows = Math.ceil(grid.height / grid.tileHeight);
  const first = {
    column: Math.max(Math.floor(-view.x / width), 0),
    row: Math.max(Math.floor(-view.y / height), 0),
  };
  const last = {
    column: Math.min(Math.ceil((box.width - view.x) / width), columns),
    row: Math.min(Math.ceil((box.height - view.y) / height), rows),
  };
  const tiles: Tile[] = [];
  for (let row = first.row; row < last.row; row += 1) {
    for (let column = first.column; column < last.column; column += 1) tiles.push({ level, column, row });
  }
  const away = ({ column, row }: Tile) =>
    Math.hypot(
      view.x + (column + 0.5) * width - box.width / 2,
      view.y + (row + 0.5) * height - box.height / 2,
    );
  return tiles.sort((a, b) => away(a) - away(b));
}

/** Where a tile lies on the screen. */
export function placeOf(tile: Tile, grid: LevelGrid, view: PanZoom) {
  const left = tile.column * grid.tileWidth;
  const top = tile.row * grid.tileHeight;
  const width = Math.min(grid.tileWidth, grid.width - left);
  const height = Math.min(grid.tileHeight, grid.height - top);
  return {
    x: view.x + left * grid.factorX * view.scale,
    y: view.y + top * grid.factorY * view.scale,
    width: width * grid.factorX * view.scale,
    height: height * grid.factorY * view.scale,
    pixels: { width, height },
  };
}

export function keyOf({ level, column, row }: Tile): string {
  return `${level}/${row}/${column}`;
}

/** A length of a round number that takes about a fifth of the view, for a scale bar. */
export function scaleBar(unitsPerPixel: number, width: number): { pixels: number; length: number } {
  const most = unitsPerPixel * Math.max(Math.min(width / 4, 160), 20);
  const power = 10 ** Math.floor(Math.log10(most));
  const length = [5, 2, 1].map((step) => step * power).find((candidate) => candidate <= most) ?? power;
  return { pixels: length / unitsPerPixel, length };
}
