import { describe, expect, it } from 'vitest';
import { autoContrast, paintPlanes } from './paint';
import { parsePyramid } from './pyramid';
import { documentsOfV3 } from './store';
import { chooseLevel, placeOf, scaleBar, tilesInSight, type LevelGrid } from './tiles';
import { fit, keepInSight, zoomAt } from '../panzoom/view';

const AXES = [
  { name: 'c', type: 'channel' },
  { name: 'y', type: 'space', unit: 'micrometer' },
  { name: 'x', type: 'space', unit: 'micrometer' },
];
const scale = (...values: number[]) => [{ type: 'scale', scale: values }];

describe('metadata', () => {
  it('of 0.4 and of 0.5 are the same', () => {
    const multiscales = [
      {
        axes: AXES,
        name: 'slice',
        datasets: [
          { path: '0', coordinateTransformations: scale(1, 1.3, 1.3) },
          { path: '1', coordinateTransformations: scale(1, 2.6, 2.6) },
        ],
      },
    ];
    const omero = {
      channels: [{ label: 'DAPI', color: '2F6BFF', active: false, window: { start: 200, end: 3600 } }],
    };
    const pyramid = parsePyramid({ multiscales, omero });
    expect(pyramid.levels).toEqual([
      { path: '0', scale: [1, 1.3, 1.3] },
      { path: '1', scale: [1, 2.6, 2.6] },
    ]);
    expect(pyramid.channels).toEqual([
      { label: 'DAPI', colour: '#2f6bff', active: false, start: 200, end: 3600 },
    ]);
    expect(parsePyramid({ ome: { multiscales, omero } })).toEqual(pyramid);
  });

  it('of earlier versions have axes as names, or none', () => {
    const datasets = [{ path: 'a' }];
    expect(
      parsePyramid({ multiscales: [{ axes: ['z', 'y', 'x'], datasets }] }).axes.map(({ type }) => type),
    ).toEqual(['space', 'space', 'space']);
    expect(
      parsePyramid({ multiscales: [{ datasets }] })
        .axes.map(({ name }) => name)
        .join(''),
    ).toBe('tczyx');
  });

  it('that are missing or strange do not get through', () => {
    for (const attributes of [null, {}, { multiscales: [] }, { multiscales: [{ datasets: 'x' }] }, []]) {
      expect(() => parsePyramid(attributes)).toThrow(/no image/);
    }
    const odd = parsePyramid({
      multiscales: [{ axes: AXES, datasets: [{ path: '0', coordinateTransformations: scale(0, -1) }] }],
      omero: { channels: [{ color: 'javascript:' }] },
    });
    expect(odd.levels[0]?.scale).toEqual([1, 1, 1]);
    expect(odd.channels[0]?.colour).toBeNull();
  });

  it('in one document of version 3 are those of its arrays', () => {
    const array = { node_type: 'array' };
    const root = { consolidated_metadata: { metadata: { '0': array } } };
    expect([...(documentsOfV3(root) ?? [])]).toEqual([
      ['zarr.json', root],
      ['0/zarr.json', array],
    ]);
    expect(documentsOfV3({ consolidated_metadata: null })).toBeNull();
  });
});

const grid = (side: number, factor: number): LevelGrid => ({
  width: side,
  height: side,
  tileWidth: 128,
  tileHeight: 128,
  factorX: factor,
  factorY: factor,
});
const LEVELS = [grid(500, 1), grid(250, 2), grid(125, 4)];
const BOX = { width: 400, height: 300 };

describe('tiles', () => {
  it('are of the level whose pixels are those of the screen', () => {
    expect([8, 1, 0.6, 0.5, 0.3, 0.25, 0.01].map((zoom) => chooseLevel(LEVELS, zoom, 1))).toEqual([
      0, 0, 0, 1, 1, 2, 2,
    ]);
    expect(chooseLevel(LEVELS, 0.5, 2)).toBe(0);
  });

  it('are those in sight, the middle first, and none outside of the image', () => {
    const all = tilesInSight(grid(500, 1), 0, { scale: 0.5, x: 0, y: 0 }, BOX);
    expect(all).toHaveLength(16);
    const some = tilesInSight(grid(500, 1), 0, { scale: 4, x: -600, y: -1100 }, BOX);
    expect(some.map(({ row, column }) => [row, column])).toEqual([[2, 1]]);
    const near = tilesInSight(grid(500, 1), 0, { scale: 1, x: -56, y: 0 }, BOX);
    expect(near[0]).toEqual({ level: 0, row: 1, column: 1 });
    expect(tilesInSight(grid(500, 1), 0, { scale: 1, x: 500, y: 0 }, BOX)).toEqual([]);
  });

  it('at the edge are as large as the image', () => {
    const view = { scale: 2, x: 10, y: 0 };
    expect(placeOf({ level: 0, row: 0, column: 3 }, grid(500, 1), view)).toMatchObject({
      x: 10 + 3 * 128 * 2,
      width: (500 - 384) * 2,
      pixels: { width: 116, height: 128 },
    });
  });

  it('have a scale bar of a round length', () => {
    const { length, pixels } = scaleBar(1.3, 1000);
    expect(length).toBe(200);
    expect(pixels).toBeCloseTo(153.8, 1);
  });
});

describe('pan and zoom', () => {
  it('keeps the point under the pointer', () => {
    const view = zoomAt({ scale: 1, x: 20, y: 30 }, { x: 100, y: 100 }, 2, { least: 0.1, most: 10 });
    expect(view).toEqual({ scale: 2, x: -60, y: -40 });
    expect(zoomAt(view, { x: 0, y: 0 }, 100, { least: 0.1, most: 10 }).scale).toBe(10);
  });

  it('shows all at first, and never nothing', () => {
    expect(fit({ width: 376, height: 100 }, BOX)).toEqual({ scale: 1, x: 12, y: 100 });
    expect(fit({ width: 10, height: 10 }, BOX, 1).scale).toBe(1);
    expect(keepInSight({ scale: 1, x: 9999, y: -9999 }, { width: 100, height: 100 }, BOX)).toEqual({
      scale: 1,
      x: 352,
      y: -52,
    });
  });
});

describe('channels', () => {
  const plane = { data: Uint16Array.of(0, 100, 200, 300), offset: 0, rowStride: 2, columnStride: 1 };

  it('add up as light', () => {
    const pixels = paintPlanes(
      [
        { plane, paint: { colour: '#ff0000', start: 100, end: 200 } },
        { plane, paint: { colour: '#0000ff', start: 0, end: 300 } },
      ],
      2,
      2,
    );
    expect([...pixels]).toEqual([0, 0, 0, 255, 0, 0, 85, 255, 255, 0, 170, 255, 255, 0, 255, 255]);
  });

  it('may be of 64 bits, and lie in any order', () => {
    const big = { data: BigInt64Array.of(9n, 0n, 5n, 10n, 0n), offset: 1, rowStride: 1, columnStride: 2 };
    const pixels = paintPlanes([{ plane: big, paint: { colour: '#00ff00', start: 0, end: 10 } }], 2, 2);
    expect([0, 1, 2, 3].map((at) => pixels[at * 4 + 1])).toEqual([0, 255, 128, 0]);
  });

  it('have a contrast without outliers', () => {
    const data = Float32Array.from({ length: 10_000 }, (_, index) => (index === 0 ? 1e9 : index % 100));
    const { start, end } = autoContrast({ data, offset: 0, rowStride: 100, columnStride: 1 }, 100, 100);
    expect([start, end]).toEqual([2, 99]);
  });
});
