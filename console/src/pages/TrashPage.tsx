import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import { useLocation, useParams } from 'wouter-preact';
import { mayRestore, mayView } from '../api/datasets';
import type { OrderResponse, RestorePreview, TrashItem } from '../api/types';
import { Button, ButtonLink } from '../components/Button';
import { DatasetHead, useDataset } from '../components/DatasetHead';
import { EmptyState } from '../components/States';
import { countOf, formatCount } from '../lib/format';
import { isFolder } from '../lib/kinds';
import { routes } from '../lib/routes';
import { useTitle } from '../lib/useTitle';
import { PreviewDialog } from '../trash/PreviewDialog';
import { RestorePanel } from '../trash/RestorePanel';
import { trashColumns } from '../trash/columns';
import { trashStore } from '../trash/store';
import { useRestore } from '../trash/useRestore';
import { NOTHING, selectRange, toggleAll, toggleOne } from '../tree/selection';
import type { TreeStore } from '../tree/store';
import { TreeTable } from '../tree/TreeTable';
import { NoAccessNotice } from './DatasetsPage';
import './TrashPage.css';

const MAX_ORDER = 10_000;

/** What was deleted, and the way back. */
export function TrashPage() {
  const { dataset } = useParams<{ dataset: string }>();
  const known = useDataset(dataset);
  const [reads, setReads] = useState(0);
  // eslint-disable-next-line react-hooks/exhaustive-deps -- `reads` asks for a new list
  const store = useMemo(() => trashStore(dataset), [dataset, reads]);
  const [selection, setSelection] = useState(NOTHING);
  const [previewing, setPreviewing] = useState<string[] | null>(null);
  const changed = useCallback(() => {
    setSelection(NOTHING);
    setReads((before) => before + 1);
  }, []);
  const restore = useRestore(dataset, changed);
  useTitle(known ? `Trash of ${known.name}` : 'Trash');
  useEffect(() => {
    void store.loadMore();
    return () => store.dispose();
  }, [store]);

  const order = () => [...store.items()].filter(isSelectable).map(({ id }) => id);
  const ordered = (response: OrderResponse, preview: RestorePreview) => {
    setPreviewing(null);
    restore.begin(response, preview);
  };
  const select = (item: TrashItem, range: boolean) =>
    setSelection((before) => (range ? selectRange(before, item.id, order()) : toggleOne(before, item.id)));
  const ids = [...selection.ids];
  return (
    <div class="full">
      <DatasetHead dataset={dataset} known={known} view="trash" path={[]} />
      {known && !mayView(known.role) && <NoAccessNotice role={known.role} />}
      {restore.job && <RestorePanel job={restore.job} onClose={restore.close} />}
      <div class="tree-frame">
        <SelectionBar
          ids={ids}
          allowed={mayRestore(known?.role)}
          onClear={() => setSelection(NOTHING)}
          onPreview={() => setPreviewing(ids)}
        />
        <TrashTable
          dataset={dataset}
          store={store}
          selected={selection.ids}
          onSelect={select}
          onSelectAll={() => setSelection((before) => toggleAll(before, order()))}
        />
        <TrashStatus store={store} />
      </div>
      {previewing && (
        <PreviewDialog
          dataset={dataset}
          ids={previewing}
          onClose={() => setPreviewing(null)}
          onOrdered={ordered}
        />
      )}
    </div>
  );
}

function isSelectable(item: TrashItem): boolean {
  return item.restorable && item.state === 'DELETED';
}

interface SelectionBarProps {
  ids: string[];
  allowed: boolean;
  onClear: () => void;
  onPreview: () => void;
}

/** What is selected, and what can be done with it. It is always there, so that nothing moves. */
function SelectionBar({ ids, allowed, onClear, onPreview }: SelectionBarProps) {
  const tooMany = ids.length > MAX_ORDER;
  return (
    <div class="selection-bar">
      <span role="status">
        {ids.length === 0 ? (
          <span class="muted">
            {allowed ? 'Select what is to come back' : 'Only editors and up may restore'}
          </span>
        ) : (
          <strong>{countOf(ids.length, 'package')} selected</strong>
        )}
        {tooMany && <span class="selection-problem"> An order takes {formatCount(MAX_ORDER)}.</span>}
      </span>
      <span class="selection-actions">
        {ids.length > 0 && (
          <Button small look="quiet" onClick={onClear}>
            Clear
          </Button>
        )}
        <Button
          small
          look="primary"
          icon="history"
          disabled={!allowed || tooMany || ids.length === 0}
          onClick={onPreview}
        >
          Restore…
        </Button>
      </span>
    </div>
  );
}

interface TrashTableProps {
  dataset: string;
  store: TreeStore<TrashItem>;
  selected: ReadonlySet<string>;
  onSelect: (item: TrashItem, range: boolean) => void;
  onSelectAll: () => void;
}

function TrashTable({ dataset, store, selected, onSelect, onSelectAll }: TrashTableProps) {
  const [, navigate] = useLocation();
  return (
    <TreeTable<TrashItem>
      label="Trash"
      class="trash"
      store={store}
      columns={trashColumns}
      isFolder={isFolder}
      onOpen={(item) => {
        const row = store.rowAt(store.indexOf(item.id));
        if (row?.kind === 'item' && isFolder(item)) store.toggle(row);
        else if (isSelectable(item)) onSelect(item, false);
      }}
      onUp={() => navigate(routes.dataset(dataset))}
      selected={selected}
      selectable={isSelectable}
      onSelect={onSelect}
      onSelectAll={onSelectAll}
      empty={
        <EmptyState
          icon="trash"
          title="The trash is empty"
          action={<ButtonLink href={routes.dataset(dataset)}>To the files</ButtonLink>}
        >
          What is deleted in this dataset comes here, and can be restored as long as S3 keeps it.
        </EmptyState>
      }
    />
  );
}

function TrashStatus({ store }: { store: TreeStore<TrashItem> }) {
  const done = store.version.value > 0 && store.root.next === null;
  return (
    <div class="status-bar">
      <span>
        {done
          ? countOf(store.itemCount, 'package')
          : `${formatCount(store.itemCount)} loaded, more as you scroll`}
      </span>
      <span class="status-keys">
        <kbd>Space</kbd> select, <kbd>Shift</kbd> a range, <kbd>→</kbd> open a folder
      </span>
    </div>
  );
}
