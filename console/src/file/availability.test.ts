import { describe, expect, it } from 'vitest';
import { ApiError, parseProblem } from '../api/problem';
import type { ViewedFile } from '../viewers/types';
import { describeLinkError, whyUnavailable } from './availability';

const file = (changes: Partial<ViewedFile>): ViewedFile => ({
  datasetId: 'N:dataset:1',
  packageId: 'N:package:1',
  name: 'a.csv',
  kind: 'CSV',
  size: null,
  files: 1,
  state: 'READY',
  assets: [],
  ...changes,
});

describe('a package that cannot be read', () => {
  it('says why', () => {
    expect(whyUnavailable(file({ state: 'INFECTED' }))?.title).toMatch(/malware/);
    expect(whyUnavailable(file({ state: 'ERROR' }))?.title).toBe('Its state is “Failed”');
    expect(whyUnavailable(file({ state: 'SOMETHING_NEW' }))?.title).toMatch(/SOMETHING_NEW/);
    expect(whyUnavailable(file({ files: 0 }))?.title).toMatch(/no file/);
  });

  it('is none with viewer assets, or if the number of files is unknown', () => {
    const assets = [{ path: 'image.ome.zarr/', size: null, directory: true }];
    expect(whyUnavailable(file({ files: 0, assets }))).toBeNull();
    expect(whyUnavailable(file({ files: null }))).toBeNull();
    for (const state of ['UPLOADED', 'PROCESSING_FAILED']) expect(whyUnavailable(file({ state }))).toBeNull();
  });
});

describe('a link that is not made', () => {
  const error = (status: number, detail: string) =>
    new ApiError(parseProblem(status, new Headers(), JSON.stringify({ title: 'Title', detail })));

  it('is about the file, if the service does not find it', () => {
    expect(describeLinkError(error(404, 'the package has no stored file'))).toEqual({
      title: 'There is no link to this file',
      advice: 'The service says: the package has no stored file.',
    });
  });

  it('is as any other error else', () => {
    expect(describeLinkError(error(400, 'a detail'))).toEqual({ title: 'Title', advice: 'a detail' });
  });
});
