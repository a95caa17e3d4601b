import { Icon } from '../components/Icon';
import { describeError } from '../components/States';
import type { Row } from './store';
import type { Column, TreeTableProps } from './TreeTable';

interface TreeRowProps<T extends { id: string; name: string }> {
  row: Row<T>;
  index: number;
  /** In pixels from the top of the table's body. */
  top: number;
  columns: Column<T>[];
  table: TreeTableProps<T>;
  active: boolean;
  onActivate: () => void;
}

export function TreeRow<T extends { id: string; name: string }>(props: TreeRowProps<T>) {
  const { row } = props;
  return row.kind === 'item' ? <ItemRow {...props} row={row} /> : <StatusRow {...props} row={row} />;
}

type ItemRowProps<T extends { id: string; name: string }> = TreeRowProps<T> & {
  row: Extract<Row<T>, { kind: 'item' }>;
};

function ItemRow<T extends { id: string; name: string }>(props: ItemRowProps<T>) {
  const { row, index, table, columns, active, onActivate } = props;
  const { item } = row;
  const folder = table.isFolder(item);
  const selected = table.selected?.has(item.id);
  const select = (event: MouseEvent) => {
    onActivate();
    // A range is selected by Shift, in place of the text that the browser would select.
    if (table.onSelect && event.shiftKey) table.onSelect(item, true);
  };
  return (
    <div
      id={`row-${index}`}
      role="row"
      class={`tree-columns tree-row ${active ? 'tree-active' : ''} ${selected ? 'tree-selected' : ''}`}
      aria-rowindex={index + 2}
      aria-level={row.depth + 1}
      aria-expanded={folder ? row.open : undefined}
      aria-selected={table.onSelect ? (selected ?? false) : undefined}
      style={{ transform: `translateY(${props.top}px)`, '--depth': row.depth }}
      onClick={select}
    >
      {columns.map((column, position) => (
        <div
          key={column.key}
          role="gridcell"
          class={`cell cell-${column.key} ${column.numeric ? 'number' : ''}`}
        >
          {position === 0 && <RowTools row={row} table={table} folder={folder} />}
          {column.render(item)}
        </div>
      ))}
    </div>
  );
}

/** The box and the arrow before a name. The keyboard has Space and the arrows in their place. */
function RowTools<T extends { id: string; name: string }>(props: {
  row: ItemRowProps<T>['row'];
  table: TreeTableProps<T>;
  folder: boolean;
}) {
  const { row, table, folder } = props;
  const { item } = row;
  const toggle = (event: MouseEvent) => {
    event.stopPropagation();
    table.store.toggle(row);
  };
  return (
    <>
      {table.onSelect && (
        <input
          type="checkbox"
          tabIndex={-1}
          aria-label={`Select ${item.name}`}
          checked={table.selected?.has(item.id) ?? false}
          disabled={table.selectable?.(item) === false}
          onClick={(event) => {
            event.stopPropagation();
            table.onSelect?.(item, event.shiftKey);
          }}
        />
      )}
      {folder ? (
        <button
          type="button"
          class={`tree-arrow ${row.open ? 'tree-arrow-open' : ''}`}
          tabIndex={-1}
          aria-label={`${row.open ? 'Close' : 'Open'} ${item.name}`}
          onClick={toggle}
        >
          <Icon name="chevronRight" size={15} />
        </button>
      ) : (
        <span class="tree-arrow" />
      )}
    </>
  );
}

function StatusRow<T extends { id: string; name: string }>(
  props: TreeRowProps<T> & { row: Exclude<Row<T>, { kind: 'item' }> },
) {
  const { row, index, table, active } = props;
  return (
    <div
      id={`row-${index}`}
      role="row"
      class={`tree-columns tree-row tree-status ${active ? 'tree-active' : ''}`}
      aria-rowindex={index + 2}
      aria-level={row.depth + 1}
      style={{ transform: `translateY(${props.top}px)`, '--depth': row.depth }}
      onClick={props.onActivate}
    >
      <div role="gridcell" class="cell">
        <span class="tree-arrow" />
        {row.kind === 'empty' && <span class="muted">This folder is empty</span>}
        {row.kind === 'loading' && (
          <>
            <span class="spinner" aria-hidden="true" />
            <span class="muted">Loading</span>
          </>
        )}
        {row.kind === 'error' && (
          <>
            <span class="tree-error">{describeError(row.level.error).title}</span>
            <button type="button" class="tree-again" onClick={() => void table.store.loadMore(row.level)}>
              Try again
            </button>
          </>
        )}
      </div>
    </div>
  );
}
