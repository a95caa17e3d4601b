import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { wasAborted } from '../../api/client';
import { Button } from '../../components/Button';
import { EmptyState, Skeleton } from '../../components/States';
import { FormatError } from '../../file/error';
import { RangeReader } from '../../file/ranges';
import { countOf, formatBytes, formatCount, wordFor } from '../../lib/format';
import { useLoad } from '../../lib/useLoad';
import { ReadFailure } from '../ReadFailure';
import { TableFrame } from '../table/TableFrame';
import { widthOf, type Window } from '../table/window';
import type { ViewerProps } from '../types';
import { ParquetColumnPanel } from './ParquetColumnPanel';
import { Schema } from './Schema';
import { ParquetTable } from './table';
import { formatValue } from './values';

/** Rows in sight are read without asking, up to this many bytes. */
const FREE_BYTES = 16_000_000;

/** A Parquet file as a table: its end is read first, then the row groups and columns that are in sight. */
export default function ParquetViewer({ source, view }: ViewerProps) {
  const { data, error, reload } = useLoad(`parquet ${view.name}`, (signal) =>
    openTable(source, view.size, signal),
  );
  if (error && !wasAborted(error)) return <ReadFailure error={error} retry={reload} />;
  if (!data) return <Skeleton lines={10} label="Reading the end of the file" />;
  if (data.rowCount === 0) {
    return (
      <EmptyState icon="table" title="The table has no rows">
        It has {countOf(data.columns.length, 'column')}: {data.columns.map(({ name }) => name).join(', ')}
      </EmptyState>
    );
  }
  return <Table table={data} name={view.name} />;
}

async function openTable(source: ViewerProps['source'], known: number | null, signal: AbortSignal) {
  const link = await source.keeper.current();
  let size = known ?? link.size;
  // A range of one byte tells the size: a HEAD would be refused, as links are signed for GET.
  size ??= (await source.read({ range: { start: 0, end: 1 }, signal })).total;
  if (size === null) throw new FormatError('Storage does not tell how large the file is.');
  return ParquetTable.open(new RangeReader(source, size, signal));
}

function Table({ table, name }: { table: ParquetTable; name: string }) {
  const { version, failure, cost, onWindow, read } = useBlocks(table);
  const [chosen, setChosen] = useState<number | null>(null);
  const [schema, setSchema] = useState(false);
  const columns = useMemo(
    () =>
      table.columns.map(({ name: title, type, numeric }) => ({
        title,
        note: type,
        numeric,
        width: widthOf(title, [sampleOf(type)]),
      })),
    [table],
  );
  const cell = useCallback(
    (row: number, column: number) => {
      const found = table.value(row, column);
      if (!found) return undefined;
      if (found.value === null || found.value === undefined) return null;
      return formatValue(found.value, table.columns[column]?.single);
    },
    [table],
  );
  return (
    <TableFrame
      label={name}
      rowCount={table.rowCount}
      columns={columns}
      cell={cell}
      version={version}
      onWindow={onWindow}
      chosen={chosen}
      onChoose={setChosen}
      head={
        <>
          <span>
            <b>{formatCount(table.rowCount)}</b> {wordFor(table.rowCount, 'row')},{' '}
            <b>{table.columns.length}</b> {wordFor(table.columns.length, 'column')} in{' '}
            {countOf(table.groups.length, 'row group')}
          </span>
          <Button small icon="table" aria-pressed={schema} onClick={() => setSchema(!schema)}>
            Schema
          </Button>
          {cost > 0 && (
            <Button small icon="download" onClick={read}>
              Read these rows: {formatBytes(cost)}
            </Button>
          )}
        </>
      }
    >
      {failure !== null && <ReadFailure error={failure} retry={read} />}
      {schema && <Schema table={table} />}
      {chosen !== null && (
        <ParquetColumnPanel key={chosen} table={table} column={chosen} onClose={() => setChosen(null)} />
      )}
    </TableFrame>
  );
}

/** Values of a type are about as long as this. */
function sampleOf(type: string): string {
  if (type.startsWith('TIMESTAMP'))
    return `2024-04-18 09:30:00.004${type.includes('MICROS') ? '293' : type.includes('NANOS') ? '293000' : ''}`;
  return /STRING|struct|list|map|JSON/.test(type) ? 'some fourteen ch' : '123456.789';
}

/** Reads the blocks that come into sight, and says when they are there. */
function useBlocks(table: ParquetTable) {
  const [version, setVersion] = useState(0);
  const [failure, setFailure] = useState<unknown>(null);
  const [cost, setCost] = useState(0);
  const window = useRef<Window | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const load = useCallback(
    (allowed: number) => {
      const seen = window.current;
      if (!seen) return;
      const columns = Array.from(
        { length: seen.lastColumn - seen.firstColumn },
        (_, index) => seen.firstColumn + index,
      );
      const bytes = table.costOf(seen.firstRow, seen.lastRow, columns);
      setCost(bytes > allowed ? bytes : 0);
      if (bytes > allowed) return;
      setFailure(null);
      table.load(seen.firstRow, seen.lastRow, columns).then(
        () => setVersion((before) => before + 1),
        (error: unknown) => !wasAborted(error) && setFailure(error),
      );
    },
    [table],
  );
  const onWindow = useCallback(
    (next: Window) => {
      window.current = next;
      clearTimeout(timer.current);
      // Who scrolls past a row group need not read it.
      timer.current = setTimeout(() => load(FREE_BYTES), 90);
    },
    [load],
  );
  useEffect(() => () => clearTimeout(timer.current), []);
  return { version, failure, cost, onWindow, read: () => load(Infinity) };
}
