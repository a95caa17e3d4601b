import { useState } from 'preact/hooks';
import { formatBytes, formatCount } from '../../lib/format';
import { ColumnPanel } from '../table/ColumnPanel';
import type { ParquetTable } from './table';
import { valuesOf } from './values';

/** A column is read without asking up to this many bytes. */
const FREE_BYTES = 2_000_000;
const FREE_ROWS = 2_000_000;

/** A column of a Parquet file: all of it if it is small, else its first row groups. */
export function ParquetColumnPanel(props: { table: ParquetTable; column: number; onClose: () => void }) {
  const { table, column } = props;
  const [whole, setWhole] = useState(false);
  const { name = '', type = '', bytes = 0 } = table.columns[column] ?? {};
  const end = whole ? table.rowCount : freeRows(table, column);
  const rest = table.rowCount - end;
  return (
    <ColumnPanel
      id={`${column} ${end}`}
      title={name}
      type={type}
      load={async () => valuesOf(await table.readColumn(column, 0, end))}
      scope={
        rest > 0
          ? `Rows 1 to ${formatCount(end)} of ${formatCount(table.rowCount)}`
          : `All ${formatCount(end)} rows`
      }
      more={
        rest > 0
          ? { label: `Read the whole column: ${formatBytes(bytes)}`, read: () => setWhole(true) }
          : null
      }
      onClose={props.onClose}
    />
  );
}

function freeRows(table: ParquetTable, column: number): number {
  let bytes = 0;
  let rows = 0;
  for (const group of table.groups) {
    bytes += group.bytes[column] ?? 0;
    if (rows > 0 && (bytes > FREE_BYTES || rows + group.rows > FREE_ROWS)) break;
    rows += group.rows;
  }
  return rows;
}
