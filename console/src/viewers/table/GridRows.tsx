import type { GridProps } from './Grid';
import { NUMBERS, ROW, type Window } from './window';
import { formatCount } from '../../lib/format';

interface RowsProps extends GridProps {
  id: string;
  window: Window;
  offsets: number[];
  active: { row: number; column: number };
  /** What scrolling in proportion moves the rows, in pixels. */
  shift: number;
  onCell: (row: number, column: number) => void;
}

/** The header and the rows that are in sight. */
export function GridRows(props: RowsProps) {
  const rows: number[] = [];
  for (let row = props.window.firstRow; row < props.window.lastRow; row += 1) rows.push(row);
  const inSight = columnsInSight(props.window);
  return (
    <>
      <div class="grid-header" role="row" aria-rowindex={1}>
        <div class="grid-corner" role="columnheader" aria-colindex={1} style={{ width: NUMBERS }}>
          Row
        </div>
        {inSight.map((column) => (
          <HeaderCell key={column} {...props} column={column} />
        ))}
      </div>
      {rows.map((row) => (
        <div
          key={row}
          class="grid-row"
          role="row"
          aria-rowindex={row + 2}
          style={{ transform: `translateY(${(row + 1) * ROW + props.shift}px)` }}
        >
          <div class="grid-number" role="rowheader" aria-colindex={1} style={{ width: NUMBERS }}>
            {formatCount(row + 1)}
          </div>
          {inSight.map((column) => (
            <Cell key={column} {...props} row={row} column={column} />
          ))}
        </div>
      ))}
    </>
  );
}

function columnsInSight({ firstColumn, lastColumn }: Window): number[] {
  return Array.from({ length: Math.max(lastColumn - firstColumn, 0) }, (_, index) => firstColumn + index);
}

function placed({ offsets, columns }: RowsProps, column: number) {
  return { left: NUMBERS + (offsets[column] ?? 0), width: columns[column]?.width ?? 0 };
}

function HeaderCell(props: RowsProps & { column: number }) {
  const { column, columns, chosen, onChoose } = props;
  const { title = '', note = '', numeric = false } = columns[column] ?? {};
  return (
    <div
      class={`grid-title ${numeric ? 'grid-right' : ''} ${chosen === column ? 'grid-chosen' : ''}`}
      role="columnheader"
      aria-colindex={column + 2}
      title={`${title}${note ? ` (${note})` : ''}`}
      style={placed(props, column)}
      onClick={() => onChoose(column)}
    >
      <bdi>{title}</bdi>
    </div>
  );
}

function Cell(props: RowsProps & { row: number; column: number }) {
  const { id, row, column, columns, active, onCell } = props;
  const text = props.cell(row, column);
  const state = text === undefined ? 'grid-loading' : text === null ? 'grid-null' : '';
  const isActive = active.row === row && active.column === column;
  return (
    <div
      id={`${id}-${row}-${column}`}
      class={`grid-cell ${columns[column]?.numeric ? 'grid-right' : ''} ${state} ${isActive ? 'grid-active' : ''}`}
      role="gridcell"
      aria-colindex={column + 2}
      aria-busy={text === undefined || undefined}
      dir="auto"
      style={placed(props, column)}
      onClick={() => onCell(row, column)}
    >
      {text === null ? 'null' : oneLine(text ?? '')}
    </div>
  );
}

const SHOWN_CHARACTERS = 300;

function oneLine(text: string): string {
  return text.slice(0, SHOWN_CHARACTERS).replace(/\r?\n|\r/g, ' ↵ ');
}
