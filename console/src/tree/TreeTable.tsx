import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ErrorState } from '../components/States';
import { Icon } from '../components/Icon';
import { useMedia } from '../lib/useMedia';
import { handleKey, type Keyboard } from './keyboard';
import type { Row, TreeStore } from './store';
import { TreeRow } from './TreeRow';
import { TypeAhead } from './typeahead';
import { useAnchor } from './useAnchor';
import { scrollToRow, visibleRows } from './window';
import './TreeTable.css';

export interface Column<T> {
  key: string;
  title: string;
  /** What `onSort` is told: columns without it cannot be sorted by. */
  sort?: string;
  numeric?: boolean;
  render: (item: T) => ComponentChildren;
}

export interface TreeTableProps<T extends { id: string; name: string }> {
  /** The table's name for screen readers. */
  label: string;
  /** Sets the columns' widths, in CSS. */
  class: string;
  store: TreeStore<T>;
  columns: Column<T>[];
  isFolder: (item: T) => boolean;
  /** Where a row leads. Rows without an address only open and close. */
  addressOf?: (item: T) => string;
  /** Opens a row by the keyboard or a click. */
  onOpen: (item: T) => void;
  /** Goes to the folder above. */
  onUp?: () => void;
  sort?: string;
  onSort?: (sort: string) => void;
  selected?: ReadonlySet<string>;
  selectable?: (item: T) => boolean;
  onSelect?: (item: T, range: boolean) => void;
  onSelectAll?: () => void;
  empty: ComponentChildren;
  /** Where the table was left, to go on there. */
  place?: Place;
}

/** Kept by whoever shows a table again. */
export interface Place {
  scrollTop: number;
  active: string | null;
}

const HEADER = 34;

/** A table of folders and files, of which only the rows in sight are drawn: a treegrid (WAI-ARIA). */
export function TreeTable<T extends { id: string; name: string }>(props: TreeTableProps<T>) {
  const { store, columns } = props;
  const view = useTableView(props);
  const { scroller, first, end, rowHeight, active } = view;
  const only = onlyRow(store);
  if (only === 'error') return <ErrorState error={store.root.error} retry={() => void store.loadMore()} />;
  if (only === 'empty') return <>{props.empty}</>;
  const rows = Array.from({ length: end - first }, (_, offset) => first + offset);
  return (
    <div
      ref={scroller}
      class={`tree ${props.class}`}
      role="treegrid"
      aria-label={props.label}
      aria-rowcount={store.root.next === null ? store.rowCount + 1 : -1}
      aria-multiselectable={props.onSelect ? true : undefined}
      aria-activedescendant={active >= first && active < end ? `row-${active}` : undefined}
      aria-busy={store.root.loading}
      tabIndex={0}
      onScroll={view.onScroll}
      onKeyDown={(event) => handleKey(event, view.keyboard)}
    >
      <TreeHead {...props} />
      <div role="rowgroup" class="tree-body" style={{ height: `${store.rowCount * rowHeight}px` }}>
        {rows.map((index) => {
          const row = store.rowAt(index);
          if (!row) return null;
          return (
            <TreeRow
              key={row.key}
              row={row}
              index={index}
              top={index * rowHeight}
              columns={columns}
              table={props}
              active={index === active}
              onActivate={() => view.setActive(index)}
            />
          );
        })}
      </div>
    </div>
  );
}

function TreeHead<T extends { id: string; name: string }>(props: TreeTableProps<T>) {
  return (
    <div role="rowgroup" class="tree-head">
      <div role="row" aria-rowindex={1} class="tree-columns">
        {props.columns.map((column) => (
          <HeadCell key={column.key} column={column} sort={props.sort} onSort={props.onSort} />
        ))}
      </div>
    </div>
  );
}

interface HeadCellProps<T> {
  column: Column<T>;
  sort: string | undefined;
  onSort: ((sort: string) => void) | undefined;
}

function HeadCell<T>({ column, sort, onSort }: HeadCellProps<T>) {
  const by = column.sort;
  const ascending = by !== undefined && sort === by;
  const descending = by !== undefined && sort === `-${by}`;
  const classes = `cell cell-${column.key} ${column.numeric ? 'number' : ''}`;
  return (
    <div
      role="columnheader"
      class={classes}
      aria-sort={ascending ? 'ascending' : descending ? 'descending' : undefined}
    >
      {by && onSort ? (
        <button type="button" tabIndex={0} onClick={() => onSort(ascending ? `-${by}` : by)}>
          {column.title}
          {(ascending || descending) && <Icon name={ascending ? 'arrowUp' : 'arrowDown'} size={13} />}
        </button>
      ) : (
        column.title
      )}
    </div>
  );
}

/** What a list of one row tells in place of a table. */
function onlyRow<T extends { id: string }>(store: TreeStore<T>): 'error' | 'empty' | null {
  const kind = store.rowCount === 1 ? store.rowAt(0)?.kind : undefined;
  return kind === 'error' || kind === 'empty' ? kind : null;
}

/** What is in sight and where the keyboard is. */
function useTableView<T extends { id: string; name: string }>(props: TreeTableProps<T>) {
  const { store, place } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const typed = useRef(new TypeAhead());
  const narrow = useMedia('(max-width: 640px)');
  const rowHeight = narrow ? 56 : 36;
  const [scrollTop, setScrollTop] = useState(place?.scrollTop ?? 0);
  const [height, setHeight] = useState(600);
  const [activeKey, setActiveKey] = useState<string | null>(place?.active ?? null);
  const hint = useRef(0);
  const sought = useRef<number | null>(null);
  // Reading it redraws the table whenever the rows change.
  const version = store.version.value;
  const onScroll = () => {
    const top = scroller.current?.scrollTop ?? 0;
    setScrollTop(top);
    if (place) place.scrollTop = top;
    remember(top);
  };
  const { grown, shift, remember } = useAnchor({ store, scroller, rowHeight, onMoved: onScroll });
  // Where many rows have come, the active one mostly is as far from the end as before.
  if (grown !== 0 && store.rowAt(hint.current)?.key !== activeKey) hint.current += grown;
  const active = activeKey === null ? 0 : Math.max(0, store.indexOf(activeKey, hint.current));
  hint.current = active;
  const isTable = onlyRow(store) === null;
  const { first, end } = visibleRows(scrollTop + shift, height, rowHeight, store.rowCount);

  const seek = () => {
    const element = scroller.current;
    if (!element || sought.current === null) return;
    element.scrollTop = scrollToRow(
      sought.current,
      element.scrollTop,
      element.clientHeight - HEADER,
      rowHeight,
    );
  };
  // The table grows only when it is drawn: a row that has just been loaded is scrolled to then.
  useLayoutEffect(() => {
    seek();
    sought.current = null;
  });
  const setActive = (index: number) => {
    const row: Row<T> | undefined = store.rowAt(index);
    if (!row) return;
    hint.current = index;
    setActiveKey(row.key);
    if (place) place.active = row.key;
    sought.current = index;
    seek();
  };
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    if (place) element.scrollTop = place.scrollTop;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
    // After an error, the table is another element.
  }, [store, place, isTable]);
  useEffect(() => loadWhatIsInSight(store, first, end), [store, version, first, end]);

  const page = Math.max(1, Math.floor((height - HEADER) / rowHeight) - 1);
  const keyboard: Keyboard = { ...props, typed: typed.current, active, page, setActive };
  return { scroller, first, end, rowHeight, active, setActive, onScroll, keyboard };
}

/** Loads the next page of each level whose end is in sight. */
function loadWhatIsInSight<T extends { id: string }>(store: TreeStore<T>, first: number, end: number): void {
  for (let index = first; index < end; index += 1) {
    const row = store.rowAt(index);
    if (row?.kind === 'loading') void store.loadMore(row.level);
  }
}
