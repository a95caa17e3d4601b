import type { AbsolutePath, AsyncReadable, GetOptions, RangeQuery } from 'zarrita';
import { FileError } from '../../file/error';
import type { FileSource } from '../../file/source';

type Documents = Map<string, unknown>;

/** A directory of viewer assets as a Zarr store. Its link opens all chunks, and is renewed while one looks. */
export class DirectoryStore implements AsyncReadable {
  #documents: Documents = new Map();
  #consolidated = false;

  constructor(
    private readonly source: FileSource,
    private readonly signal?: AbortSignal,
  ) {}

  /** Metadata that came in one document: its parts need no requests, and what is not among them is not there. */
  consolidate(documents: Documents): void {
    this.#documents = documents;
    this.#consolidated = true;
  }

  async get(key: AbsolutePath, options?: GetOptions): Promise<Uint8Array | undefined> {
    const path = key.slice(1);
    if (this.#consolidated && isMetadata(path)) {
      const document = this.#documents.get(path);
      return document === undefined ? undefined : new TextEncoder().encode(JSON.stringify(document));
    }
    return this.#read({ path, ...this.#signals(options) });
  }

  async getRange(
    key: AbsolutePath,
    range: RangeQuery,
    options?: GetOptions,
  ): Promise<Uint8Array | undefined> {
    const path = key.slice(1);
    const part =
      'suffixLength' in range
        ? { suffix: range.suffixLength }
        : { range: { start: range.offset, end: range.offset + range.length } };
    return this.#read({ path, ...part, ...this.#signals(options) });
  }

  /** A JSON document; null if it is missing. */
  async readJson(path: string): Promise<unknown> {
    const bytes = await this.get(`/${path}`);
    return bytes ? (JSON.parse(new TextDecoder().decode(bytes)) as unknown) : null;
  }

  async #read(options: Parameters<FileSource['read']>[0]): Promise<Uint8Array | undefined> {
    try {
      return (await this.source.read(options)).bytes;
    } catch (error) {
      // A chunk that is missing is empty (Zarr): it has the fill value.
      if (error instanceof FileError && error.kind === 'missing') return undefined;
      throw error;
    }
  }

  #signals(options?: GetOptions): { signal?: AbortSignal } {
    const signals = [this.signal, options?.signal].filter((signal) => signal !== undefined);
    return signals.length > 0 ? { signal: AbortSignal.any(signals) } : {};
  }
}

function isMetadata(path: string): boolean {
  return /(^|\/)(\.zarray|\.zattrs|\.zgroup|zarr\.json)$/.test(path);
}

/** The documents within `.zmetadata` (version 2). */
export function documentsOfV2(document: unknown): Documents {
  const { metadata } = (document ?? {}) as { metadata?: Record<string, unknown> };
  return new Map(Object.entries(metadata ?? {}));
}

/** The documents within the `zarr.json` of the root (version 3); null if it has none but itself. */
export function documentsOfV3(document: unknown): Documents | null {
  const { consolidated_metadata: inner } = (document ?? {}) as {
    consolidated_metadata?: { metadata?: Record<string, unknown> } | null;
  };
  if (!inner?.metadata) return null;
  const documents: Documents = new Map([['zarr.json', document]]);
  for (const [path, part] of Object.entries(inner.metadata)) documents.set(`${path}/zarr.json`, part);
  return documents;
}
