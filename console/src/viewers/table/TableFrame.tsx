import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { Grid, type GridProps } from './Grid';
import './TableFrame.css';

interface TableFrameProps extends Omit<GridProps, 'onActive'> {
  /** Above the table: what it is, and buttons. */
  head: ComponentChildren;
  /** Beneath the table: a chosen column, or the schema. */
  children?: ComponentChildren;
}

/** A table with a line above it, and beneath it the whole text of the active cell. */
export function TableFrame({ head, children, ...grid }: TableFrameProps) {
  const [active, setActive] = useState<{ row: number; column: number } | null>(null);
  const text = active ? grid.cell(active.row, active.column) : undefined;
  return (
    <div class="table-frame">
      <div class="viewer-head">{head}</div>
      <div class="table-body">
        <Grid {...grid} onActive={(row, column) => setActive({ row, column })} />
      </div>
      <div class="table-cell">
        {active ? (
          <>
            <span class="muted">
              Row {active.row + 1}, <bdi>{grid.columns[active.column]?.title}</bdi>
            </span>
            <output dir="auto">{text === null ? 'null' : (text ?? '…').slice(0, 2000)}</output>
          </>
        ) : (
          <span class="muted">Choose a cell to read it whole, the head of a column to plot it.</span>
        )}
      </div>
      {children}
    </div>
  );
}
