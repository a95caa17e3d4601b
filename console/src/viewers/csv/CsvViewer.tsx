import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { wasAborted } from '../../api/client';
import { Button } from '../../components/Button';
import { EmptyState, Skeleton } from '../../components/States';
import { formatBytes, formatCount, wordFor } from '../../lib/format';
import { useLoad } from '../../lib/useLoad';
import { ReadFailure } from '../ReadFailure';
import { ColumnPanel } from '../table/ColumnPanel';
import { TableFrame } from '../table/TableFrame';
import { widthOf, type Window } from '../table/window';
import type { ViewerProps } from '../types';
import { isNumeric } from './parse';
import { CsvTable } from './table';
import { csvValues } from './values';

/** Rows before the last one read from which on the next piece is read. */
const AHEAD = 400;

/** A CSV file as a table that is read piece by piece. */
export default function CsvViewer({ source, view }: ViewerProps) {
  const { data, error, reload } = useLoad(`csv ${view.name}`, async (signal) => {
    const table = new CsvTable(
      async (start, end, inner) => source.read({ range: { start, end }, signal: inner ?? signal }),
      view.name,
      view.size,
    );
    await table.readMore();
    return table;
  });
  if (error && !wasAborted(error)) return <ReadFailure error={error} retry={reload} />;
  if (!data) return <Skeleton lines={10} label="Reading the beginning of the file" />;
  if (data.columnCount === 0) return <EmptyState icon="table" title="The file is empty" />;
  return <Table table={data} name={view.name} />;
}

function Table({ table, name }: { table: CsvTable; name: string }) {
  const pieces = usePieces(table);
  const [chosen, setChosen] = useState<number | null>(null);
  // The first piece decides on widths and types: columns must not jump while one scrolls.
  const { columnCount } = table;
  const columns = useMemo(() => columnsOf(table, columnCount), [table, columnCount]);
  const cell = useCallback(
    (row: number, column: number) => {
      const values = table.row(row);
      return values ? (values[column] ?? '') : undefined;
    },
    [table],
  );
  return (
    <TableFrame
      label={name}
      rowCount={table.rowCount}
      columns={columns}
      cell={cell}
      version={pieces.version}
      onWindow={pieces.onWindow}
      chosen={chosen}
      onChoose={setChosen}
      head={<Head table={table} pieces={pieces} />}
    >
      {pieces.failure !== null && <ReadFailure error={pieces.failure} retry={() => void pieces.readMore()} />}
      {chosen !== null && (
        <ColumnPanel
          key={chosen}
          id={`${chosen} ${table.rowCount}`}
          title={columns[chosen]?.title ?? ''}
          type={columns[chosen]?.note ?? ''}
          load={() => Promise.resolve(csvValues(table.column(chosen)))}
          scope={scopeOf(table)}
          more={null}
          onClose={() => setChosen(null)}
        />
      )}
    </TableFrame>
  );
}

function Head({ table, pieces }: { table: CsvTable; pieces: ReturnType<typeof usePieces> }) {
  const rest = table.size === null ? null : table.size - table.position;
  return (
    <>
      <span>
        <b>{formatCount(table.rowCount)}</b> {wordFor(table.rowCount, 'row')}
        {!table.done && ` read of about ${formatCount(Number(table.estimatedRows.toPrecision(2)))}`},{' '}
        <b>{table.columnCount}</b> {wordFor(table.columnCount, 'column')}, {delimiterName(table.delimiter)}
        {table.encoding !== 'utf-8' && `, ${table.encoding}`}
      </span>
      {!table.done &&
        (pieces.all ? (
          <Button small onClick={pieces.stop}>
            Stop reading
          </Button>
        ) : (
          <Button small icon="download" onClick={pieces.readAll}>
            Read the rest{rest !== null && `: ${formatBytes(rest)}`}
          </Button>
        ))}
    </>
  );
}

function delimiterName(delimiter: string): string {
  const names: Record<string, string> = { ',': 'commas', '\t': 'tabs', ';': 'semicolons', '|': 'bars' };
  return `separated by ${names[delimiter] ?? delimiter}`;
}

function scopeOf(table: CsvTable): string {
  if (table.done) return `All ${formatCount(table.rowCount)} rows`;
  return `The ${formatCount(table.rowCount)} rows that were read so far`;
}

const SAMPLE = 60;

function columnsOf(table: CsvTable, count: number) {
  return Array.from({ length: count }, (_, column) => {
    const sample = table.column(column).slice(0, SAMPLE);
    const title = table.header[column] ?? `Column ${column + 1}`;
    const numeric = isNumeric(sample);
    return { title, note: numeric ? 'numbers' : 'text', numeric, width: widthOf(title, sample) };
  });
}

/** Reads the next piece when the end of what was read comes into sight, or all pieces. */
function usePieces(table: CsvTable) {
  const [version, setVersion] = useState(0);
  const [failure, setFailure] = useState<unknown>(null);
  const [all, setAll] = useState(false);
  const stopped = useRef(false);
  const refresh = useCallback(() => setVersion((before) => before + 1), []);
  const fail = useCallback((error: unknown) => {
    setAll(false);
    if (!wasAborted(error)) setFailure(error);
  }, []);
  const readMore = useCallback(async () => {
    setFailure(null);
    await table.readMore().then(refresh, fail);
  }, [table, refresh, fail]);
  const onWindow = useCallback(
    (window: Window) => {
      table.load(window.firstRow, window.lastRow).then(refresh, fail);
      if (!table.done && window.lastRow > table.rowCount - AHEAD) void readMore();
    },
    [table, refresh, fail, readMore],
  );
  const goesOn = () => !table.done && !stopped.current;
  const readAll = async () => {
    stopped.current = false;
    setAll(true);
    setFailure(null);
    try {
      while (goesOn()) {
        await table.readMore();
        refresh();
      }
    } catch (error) {
      fail(error);
    }
    setAll(false);
  };
  const stop = useCallback(() => (stopped.current = true), []);
  useEffect(
    () => () => {
      stopped.current = true;
    },
    [],
  );
  return { version, failure, all, onWindow, readMore, readAll: () => void readAll(), stop };
}
