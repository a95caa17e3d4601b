import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readTree, typeName, type Hdf5Node } from './tree';
import { valueRows } from './values';

// Made by h5py: e2e/content/hdf5.py.
const file = readFileSync(new URL('../../../e2e/content/session.h5', import.meta.url));
const root = readTree(new Uint8Array(file).buffer, 'session.h5');

function find(path: string): Hdf5Node {
  return path.split('/').reduce((node, name) => node.children.find((child) => child.name === name)!, root);
}

describe('the tree of a file of h5py', () => {
  it('has its groups and datasets, with their attributes', () => {
    expect(find('acquisition/probe/samples')).toMatchObject({
      kind: 'dataset',
      shape: '1000 × 4, 16-bit integer',
      attributes: [['unit', '"µV"']],
    });
    expect(find('temperature').shape).toBe('one value, 64-bit float');
    expect(root.attributes).toContainEqual(['sampling_rate_hz', '20000']);
  });

  it('names what is there and cannot be read', () => {
    expect(find('spikes')).toMatchObject({ kind: 'dataset', shape: '2, of several parts', read: null });
    expect(find('elsewhere').kind).toBe('unreadable');
  });

  it('has values, packed and plain', () => {
    const { rows, more } = find('acquisition/probe/samples').read!();
    expect(rows[99]).toEqual({ index: '99', values: ['396', '397', '398', '399'] });
    expect(more).toEqual({ rows: 900, columns: 0 });
    expect(find('acquisition/probe/depth_um').read!().rows.map(({ values }) => values[0])).toEqual([
      '0',
      '20',
      '40',
      '60',
    ]);
    expect(find('temperature').read!().rows).toEqual([{ index: '', values: ['34.5'] }]);
    expect(find('regions').read!().rows[2]?.values).toEqual(['DG']);
  });

  it('is refused if the file is another', () => {
    expect(() => readTree(new ArrayBuffer(100), 'x')).toThrow(/cannot be read here/);
  });
});

describe('values', () => {
  it('of many axes are rows along the last one', () => {
    const values = Array.from({ length: 24 }, (_, index) => index);
    const { rows } = valueRows(values, [2, 3, 4]);
    expect(rows[4]).toEqual({ index: '1, 1', values: ['16', '17', '18', '19'] });
  });

  it('are cut where there are many', () => {
    const { rows, more } = valueRows(new Float32Array(200 * 20).fill(0.1), [200, 20], 7);
    expect(rows).toHaveLength(100);
    expect(rows[0]?.values).toHaveLength(16);
    expect(rows[0]?.values[0]).toBe('0.1');
    expect(more).toEqual({ rows: 100, columns: 4 });
  });

  it('have types in words', () => {
    expect(['<f4', '|u1', 'S12', ['VLEN_STRING', 0, 1]].map(typeName)).toEqual([
      '32-bit float',
      '8-bit unsigned integer',
      'text of 12',
      'text',
    ]);
  });
});
