import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { GridRows } from './GridRows';
import { NUMBERS, ROW, TALLEST, offsetsOf, scrollRatio, windowOf, type Window } from './window';
import './Grid.css';

export interface GridColumn {
  title: string;
  /** What the column is, for its tooltip. */
  note: string;
  numeric: boolean;
  width: number;
}

export interface GridProps {
  label: string;
  rowCount: number;
  columns: GridColumn[];
  /** Text of a cell; null if there is no value; undefined while it is loaded. */
  cell: (row: number, column: number) => string | null | undefined;
  /** Changes when cells do. */
  version: number;
  onWindow: (window: Window) => void;
  chosen: number | null;
  onChoose: (column: number) => void;
  onActive: (row: number, column: number) => void;
}

interface View {
  top: number;
  left: number;
  width: number;
  height: number;
}

/** Where the table is scrolled to, and which cell is the active one. */
function useGrid({ columns, rowCount, onWindow, onActive }: GridProps) {
  const element = useRef<HTMLDivElement>(null);
  const [view, setView] = useState<View>({ top: 0, left: 0, width: 0, height: 0 });
  const [active, setActive] = useState({ row: 0, column: 0 });
  const offsets = useMemo(() => offsetsOf(columns.map(({ width }) => width)), [columns]);
  const ratio = scrollRatio(rowCount, view.height);
  const shown = useMemo(() => windowOf(view, rowCount, offsets), [view, rowCount, offsets]);
  useSize(element, (width, height) => setView((before) => ({ ...before, width, height })));
  const { firstRow, lastRow, firstColumn, lastColumn } = shown;
  useEffect(() => {
    onWindow({ firstRow, lastRow, firstColumn, lastColumn });
  }, [onWindow, firstRow, lastRow, firstColumn, lastColumn]);
  const scrollTo = (top: number, left: number) => {
    const box = element.current;
    if (!box) return;
    const highest = Math.max((rowCount + 1) * ROW - view.height, 0);
    const next = Math.min(Math.max(top, 0), highest);
    box.scrollTop = next / ratio;
    box.scrollLeft = left;
    setView((before) => ({ ...before, top: next, left: box.scrollLeft }));
  };
  const activate = (row: number, column: number) => {
    setActive({ row, column });
    onActive(row, column);
  };
  const move = (row: number, column: number) => {
    const nextRow = Math.min(Math.max(row, 0), rowCount - 1);
    const nextColumn = Math.min(Math.max(column, 0), columns.length - 1);
    activate(nextRow, nextColumn);
    scrollTo(...placeOf({ row: nextRow, column: nextColumn }, view, offsets));
  };
  const onScroll = () => setView((before) => scrolled(before, element.current, ratio));
  return { element, view, active, offsets, ratio, shown, scrollTo, activate, move, onScroll };
}

/** A table of any length of which only what is in sight is drawn (WAI-ARIA grid): arrows move, Enter chooses a column. */
export function Grid(props: GridProps) {
  const { columns, rowCount } = props;
  const { element, view, active, offsets, ratio, shown, scrollTo, activate, move, onScroll } = useGrid(props);
  const id = useId();
  const shift = ratio === 1 ? 0 : view.top / ratio - view.top;
  const size = { height: Math.min((rowCount + 1) * ROW, TALLEST), width: NUMBERS + (offsets.at(-1) ?? 0) };
  const onKeyDown = (event: KeyboardEvent) => {
    const page = Math.floor(view.height / ROW) - 2;
    const target = targetOf(event, active, page, [rowCount, columns.length]);
    if (event.key === 'Enter') props.onChoose(active.column);
    if (!target && event.key !== 'Enter') return;
    event.preventDefault();
    if (target) move(...target);
  };
  const onWheel = (event: WheelEvent) => {
    // A pixel of the scrollbar is many rows: the wheel still moves a few.
    if (ratio === 1 || event.ctrlKey || event.deltaY === 0) return;
    event.preventDefault();
    scrollTo(view.top + event.deltaY, view.left + event.deltaX);
  };
  return (
    <div
      ref={element}
      class="grid"
      role="grid"
      aria-label={props.label}
      aria-rowcount={rowCount + 1}
      aria-colcount={columns.length + 1}
      aria-activedescendant={isDrawn(active, shown) ? `${id}-${active.row}-${active.column}` : undefined}
      tabIndex={0}
      onScroll={onScroll}
      onWheel={onWheel}
      onKeyDown={onKeyDown}
    >
      <div class="grid-size" role="none" style={size}>
        <GridRows
          {...props}
          id={id}
          window={shown}
          offsets={offsets}
          active={active}
          shift={shift}
          onCell={activate}
        />
      </div>
    </div>
  );
}

function isDrawn({ row, column }: { row: number; column: number }, shown: Window): boolean {
  const { firstRow, lastRow, firstColumn, lastColumn } = shown;
  return row >= firstRow && row < lastRow && column >= firstColumn && column < lastColumn;
}

function scrolled(before: View, box: HTMLElement | null, ratio: number): View {
  if (!box) return before;
  // What was scrolled to by a program is there already, and more exactly.
  const top =
    Math.abs(before.top / ratio - box.scrollTop) < 1 && ratio > 1 ? before.top : box.scrollTop * ratio;
  return { ...before, top, left: box.scrollLeft };
}

/** Where to scroll so that a cell is in sight. */
function placeOf(cell: { row: number; column: number }, view: View, offsets: number[]): [number, number] {
  const from = cell.row * ROW;
  let top = view.top;
  if (from < top) top = from;
  // The header covers a row of the view.
  else if (from + 2 * ROW > top + view.height) top = from + 2 * ROW - view.height;
  const start = offsets[cell.column] ?? 0;
  const end = offsets[cell.column + 1] ?? start;
  let left = view.left;
  if (start < left) left = start;
  else if (end > left + view.width - NUMBERS) left = Math.min(end - view.width + NUMBERS, start);
  return [top, left];
}

function targetOf(
  event: KeyboardEvent,
  { row, column }: { row: number; column: number },
  page: number,
  [rows, columns]: [number, number],
): [number, number] | null {
  const far = event.ctrlKey || event.metaKey;
  const targets: Record<string, [number, number]> = {
    ArrowUp: [far ? 0 : row - 1, column],
    ArrowDown: [far ? rows - 1 : row + 1, column],
    ArrowLeft: [row, far ? 0 : column - 1],
    ArrowRight: [row, far ? columns - 1 : column + 1],
    PageUp: [row - page, column],
    PageDown: [row + page, column],
    Home: [far ? 0 : row, 0],
    End: [far ? rows - 1 : row, columns - 1],
  };
  return targets[event.key] ?? null;
}

function useSize(element: { current: HTMLElement | null }, onSize: (width: number, height: number) => void) {
  useLayoutEffect(() => {
    const box = element.current;
    if (!box) return;
    const report = () => onSize(box.clientWidth, box.clientHeight);
    const observer = new ResizeObserver(report);
    observer.observe(box);
    report();
    return () => observer.disconnect();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- sets state only
  }, []);
}
