import { describe, expect, it } from 'vitest';
import type { ViewedFile } from '../viewers/types';
import { viewerOf, viewsOf } from './views';

const file = (name: string, paths: string[] = []): ViewedFile => ({
  datasetId: 'N:dataset:1',
  packageId: 'N:package:1',
  name,
  kind: 'Unknown',
  size: 5,
  files: 1,
  state: 'READY',
  assets: paths.map((path) => ({ path, size: path.endsWith('/') ? null : 7, directory: path.endsWith('/') })),
});

describe('the viewer', () => {
  it('is chosen by the name', () => {
    expect(
      ['a.PNG', 'b.parquet', 'c.tsv', 'image.ome.zarr/', 'd.nwb', 'README.md', 'x.dat', 'none'].map(viewerOf),
    ).toEqual(['image', 'parquet', 'csv', 'zarr', 'hdf5', 'markdown', 'none', 'none']);
  });

  it('shows a pyramid before the file that it was made of', () => {
    const views = viewsOf(file('slice.txt', ['image.ome.zarr/', 'overview.png', 'internal.bin']));
    expect(views.map(({ name }) => name)).toEqual(['image.ome.zarr', 'slice.txt', 'overview.png']);
    expect(views[0]?.routes).toEqual([{ route: 'cdn', path: 'image.ome.zarr/' }]);
  });

  it('takes an asset of the same name as another way to the file', () => {
    const views = viewsOf(file('spikes.parquet', ['spikes.parquet']));
    expect(views).toHaveLength(1);
    expect(views[0]?.routes.map(({ route }) => route)).toEqual(['cdn', 's3', 'proxy']);
    expect(views[0]?.size).toBe(7);
  });

  it('shows no source file of a package that has none', () => {
    const views = viewsOf({ ...file('rings.ome.zarr', ['image.ome.zarr/']), files: 0 });
    expect(views.map(({ name }) => name)).toEqual(['image.ome.zarr']);
  });

  it('shows an asset before a file that no viewer knows', () => {
    expect(viewsOf(file('scan.dcm', ['preview.png'])).map(({ viewer }) => viewer)).toEqual(['image', 'none']);
  });
});
