import {
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
} from 'hyparquet';
import { FormatError } from '../../file/error';
import { dateParsers } from './preciseDate';

/** What the first request fetches of a file's end: metadata of most files is smaller, and a larger one takes a second request. */
const FOOTER = 32_768;
/** More is read by pages, if the file has an index of them. */
const LARGE_GROUP = 2_000_000;
const PAGE_ROWS = 2_000;
const KEPT_BLOCKS = 400;

export interface ParquetColumn {
  name: string;
  /** As people read it: `TIMESTAMP(MICROS)`, `DOUBLE`, `list of STRING`. */
  type: string;
  numeric: boolean;
  /** Compressed, in all row groups, in bytes. */
  bytes: number;
  /** Of the first row group: how it is compressed. */
  codec: string;
  nullable: boolean;
  /** 32-bit numbers are shown with as many digits as they have. */
  single: boolean;
}

interface Group {
  start: number;
  rows: number;
  /** Compressed bytes of each column. */
  bytes: number[];
  /** Whether the file says where pages begin. */
  indexed: boolean;
}

/** Rows of some columns that are read together. */
export interface Block {
  start: number;
  end: number;
  byPages: boolean;
}

/** A Parquet file of which only what is looked at is read: blocks of rows, of some columns. */
export class ParquetTable {
  readonly rowCount: number;
  readonly columns: ParquetColumn[];
  readonly groups: Group[];
  readonly #blocks = new Map<string, Promise<unknown[]> | unknown[]>();
  #compressors: Promise<Compressors> | null = null;

  private constructor(
    private readonly file: AsyncBuffer,
    readonly metadata: FileMetaData,
  ) {
    this.rowCount = Number(metadata.num_rows);
    this.columns = columnsOf(metadata);
    this.groups = groupsOf(metadata, this.columns);
  }

  static async open(file: AsyncBuffer): Promise<ParquetTable> {
    if (file.byteLength < 12) throw new FormatError('This is no Parquet file: it is too short.');
    try {
      return new ParquetTable(file, await parquetMetadataAsync(file, { initialFetchSize: FOOTER }));
    } catch (error) {
      if (error instanceof Error && /parquet/i.test(error.message))
        throw new FormatError(`This is no Parquet file: ${error.message}.`);
      throw error;
    }
  }

  /** A value, if its block is there. */
  value(row: number, column: number): { value: unknown } | null {
    const block = this.#blockOf(row, column);
    const values = block && this.#blocks.get(keyOf(block, column));
    return values && !(values instanceof Promise) ? { value: values[row - block.start] } : null;
  }

  /** How many bytes it takes to show these rows and columns, of what is not there. */
  costOf(firstRow: number, lastRow: number, columns: number[]): number {
    let bytes = 0;
    for (const column of columns) {
      for (const { block, group } of this.#blocksOf(firstRow, lastRow, column)) {
        if (this.#blocks.has(keyOf(block, column))) continue;
        bytes += ((group.bytes[column] ?? 0) * (block.end - block.start)) / Math.max(group.rows, 1);
      }
    }
    return Math.round(bytes);
  }

  /** Reads what is not there. Columns that lie side by side in the file take one request. */
  async load(firstRow: number, lastRow: number, columns: number[]): Promise<void> {
    const byBlock = new Map<string, { block: Block; missing: number[] }>();
    const waiting: Promise<unknown>[] = [];
    for (const column of columns) {
      for (const { block } of this.#blocksOf(firstRow, lastRow, column)) {
        const there = this.#blocks.get(keyOf(block, column));
        if (there) {
          if (there instanceof Promise) waiting.push(there);
          continue;
        }
        const key = `${block.start}-${block.end}`;
        const entry = byBlock.get(key) ?? { block, missing: [] };
        entry.missing.push(column);
        byBlock.set(key, entry);
      }
    }
    for (const { block, missing } of byBlock.values()) waiting.push(this.#read(block, missing));
    await Promise.all(waiting);
  }

  /** All values of a column from `firstRow` up to `lastRow`, exclusive. */
  async readColumn(column: number, firstRow: number, lastRow: number): Promise<unknown[]> {
    await this.load(firstRow, lastRow, [column]);
    const values: unknown[] = [];
    for (const { block } of this.#blocksOf(firstRow, lastRow, column)) {
      const part = (await this.#blocks.get(keyOf(block, column))) ?? [];
      const from = Math.max(firstRow - block.start, 0);
      // A spread of a long array would be too many arguments.
      for (const value of part.slice(from, lastRow - block.start)) values.push(value);
    }
    return values;
  }

  #read(block: Block, columns: number[]): Promise<void> {
    const names = columns.map((column) => this.columns[column]?.name ?? '');
    const reading = this.#readObjects(block, names);
    for (const [index, column] of columns.entries()) {
      const key = keyOf(block, column);
      const values = reading.then((rows) => rows.map((row) => row[names[index] ?? '']));
      this.#blocks.set(key, values);
      // While it is read it is a promise; then the values; what failed is read anew.
      values.then(
        (there) => this.#keep(key, there),
        () => this.#blocks.delete(key),
      );
    }
    return reading.then(() => Promise.resolve());
  }

  async #readObjects(block: Block, columns: string[]): Promise<Record<string, unknown>[]> {
    const { file, metadata } = this;
    const range = { rowStart: block.start, rowEnd: block.end, useOffsetIndex: block.byPages };
    return parquetReadObjects({
      file,
      metadata,
      columns,
      parsers: dateParsers,
      compressors: await this.#getCompressors(),
      ...range,
    });
  }

  #getCompressors(): Promise<Compressors> {
    const others = this.columns.some(({ codec }) => codec !== 'SNAPPY' && codec !== 'UNCOMPRESSED');
    this.#compressors ??= others
      ? import('./compressors').then((module) => module.compressors)
      : Promise.resolve({});
    return this.#compressors;
  }

  #keep(key: string, values: unknown[]): void {
    // The last used ones are at the end of a map.
    this.#blocks.delete(key);
    this.#blocks.set(key, values);
    const there = [...this.#blocks].filter(([, block]) => !(block instanceof Promise));
    for (const [old] of there.slice(0, Math.max(there.length - KEPT_BLOCKS, 0))) this.#blocks.delete(old);
  }

  #blockOf(row: number, column: number): Block | undefined {
    return this.#blocksOf(row, row + 1, column)[0]?.block;
  }

  #blocksOf(firstRow: number, lastRow: number, column: number): { block: Block; group: Group }[] {
    const blocks: { block: Block; group: Group }[] = [];
    for (const group of this.groups) {
      const end = group.start + group.rows;
      if (group.start >= lastRow) break;
      if (end <= firstRow) continue;
      for (const block of blocksOf(group, column, Math.max(firstRow, group.start), Math.min(lastRow, end)))
        blocks.push({ block, group });
    }
    return blocks;
  }
}

/** The blocks of a group that rows lie in: the whole group, or stretches of it if it is large and has an index. */
export function blocksOf(group: Group, column: number, firstRow: number, lastRow: number): Block[] {
  const end = group.start + group.rows;
  const byPages = group.indexed && (group.bytes[column] ?? 0) > LARGE_GROUP;
  if (!byPages) return [{ start: group.start, end, byPages }];
  const blocks: Block[] = [];
  const first = group.start + Math.floor((firstRow - group.start) / PAGE_ROWS) * PAGE_ROWS;
  for (let start = first; start < lastRow; start += PAGE_ROWS)
    blocks.push({ start, end: Math.min(start + PAGE_ROWS, end), byPages });
  return blocks;
}

function keyOf(block: Block, column: number): string {
  return `${column}:${block.start}-${block.end}`;
}

function groupsOf(metadata: FileMetaData, columns: ParquetColumn[]): Group[] {
  let start = 0;
  return metadata.row_groups.map((group) => {
    const bytes = columns.map(({ name }) =>
      group.columns
        .filter(({ meta_data }) => meta_data?.path_in_schema[0] === name)
        .reduce((sum, { meta_data }) => sum + Number(meta_data?.total_compressed_size ?? 0), 0),
    );
    const rows = Number(group.num_rows);
    start += rows;
    return {
      start: start - rows,
      rows,
      bytes,
      indexed: group.columns.every(({ offset_index_offset }) => offset_index_offset),
    };
  });
}

type SchemaTree = ReturnType<typeof parquetSchema>;

const NUMERIC = new Set(['INT32', 'INT64', 'FLOAT', 'DOUBLE', 'INT96']);

function columnsOf(metadata: FileMetaData): ParquetColumn[] {
  return parquetSchema(metadata).children.map((node) => {
    const { name, type, repetition_type } = node.element;
    const chunks = metadata.row_groups.flatMap((group) =>
      group.columns.filter(({ meta_data }) => meta_data?.path_in_schema[0] === name),
    );
    return {
      name,
      type: typeOf(node),
      numeric:
        node.children.length === 0 &&
        repetition_type !== 'REPEATED' &&
        type !== undefined &&
        NUMERIC.has(type),
      bytes: chunks.reduce((sum, { meta_data }) => sum + Number(meta_data?.total_compressed_size ?? 0), 0),
      codec: chunks[0]?.meta_data?.codec ?? 'UNCOMPRESSED',
      nullable: repetition_type !== 'REQUIRED',
      single: type === 'FLOAT',
    };
  });
}

function typeOf(node: SchemaTree): string {
  const {
    type,
    logical_type: logical,
    converted_type: converted,
    repetition_type: repetition,
  } = node.element;
  if (node.children.length > 0) {
    const kind = logical?.type ?? converted;
    if (kind === 'LIST') return `list of ${typeOf(node.children[0]?.children[0] ?? node)}`;
    return kind === 'MAP' ? 'map' : `struct of ${node.children.length}`;
  }
  const unit = logical && 'unit' in logical ? `(${logical.unit})` : '';
  const name =
    logical?.type && logical.type !== 'INTEGER' ? logical.type + unit : (converted ?? type ?? 'unknown');
  const readable = name === 'UTF8' ? 'STRING' : name;
  return repetition === 'REPEATED' ? `list of ${readable}` : readable;
}
