import { useEffect, useMemo } from 'preact/hooks';
import { Link, useLocation, useParams, useSearchParams } from 'wouter-preact';
import { mayView } from '../api/datasets';
import type { Child, PathPart } from '../api/types';
import { ButtonLink } from '../components/Button';
import { DatasetHead, useDataset } from '../components/DatasetHead';
import { Icon } from '../components/Icon';
import { Name } from '../components/Name';
import { Badge, EmptyState } from '../components/States';
import { countOf, formatBytes, formatCount, formatDay, formatMoment } from '../lib/format';
import { isFolder, kindIcon, kindText, stateOf } from '../lib/kinds';
import { plainName } from '../lib/names';
import { routeOf, routes } from '../lib/routes';
import { useTitle } from '../lib/useTitle';
import { openFolder, type OpenFolder } from '../tree/folders';
import { TreeTable, type Column } from '../tree/TreeTable';
import { NoAccessNotice } from './DatasetsPage';
import './DatasetPage.css';

const SORTS = ['name', '-name'];

/** The files of a dataset, or of one of its folders. */
export function DatasetPage() {
  const { dataset, folder } = useParams<{ dataset: string; folder?: string }>();
  const [query] = useSearchParams();
  const asked = query.get('sort') ?? 'name';
  const sort = SORTS.includes(asked) ? asked : 'name';
  const known = useDataset(dataset);
  const opened = useMemo(() => openFolder(dataset, folder ?? null, sort), [dataset, folder, sort]);
  useEffect(() => void opened.store.loadMore(), [opened]);
  const path = opened.path.value;
  useTitle(path?.at(-1)?.name ?? known?.name);
  return (
    <div class="full">
      <DatasetHead dataset={dataset} known={known} view="files" path={path ?? []} />
      {known && !mayView(known.role) && <NoAccessNotice role={known.role} />}
      <div class="tree-frame">
        <FolderTable
          key={`${folder ?? ''} ${sort}`}
          dataset={dataset}
          opened={opened}
          sort={sort}
          path={path}
        />
        <FolderStatus opened={opened} />
      </div>
    </div>
  );
}

interface FolderTableProps {
  dataset: string;
  opened: OpenFolder;
  sort: string;
  path: PathPart[] | null;
}

function FolderTable({ dataset, opened, sort, path }: FolderTableProps) {
  const [location, navigate] = useLocation();
  const columns = useMemo(() => columnsOf(dataset), [dataset]);
  const folder = opened.folder;
  const above = path?.at(-2)?.id;
  const up = folder ? (above ? routes.folder(dataset, above) : routes.dataset(dataset)) : routes.home();
  return (
    <TreeTable<Child>
      label="Files"
      class="files"
      store={opened.store}
      columns={columns}
      isFolder={isFolder}
      onOpen={(item) => navigate(routeOf(dataset, item))}
      onUp={() => navigate(up)}
      sort={sort}
      onSort={(next) => navigate(next === 'name' ? location : `${location}?sort=${next}`, { replace: true })}
      place={opened.place}
      empty={<EmptyFolder dataset={dataset} top={folder === null} up={up} />}
    />
  );
}

function EmptyFolder({ dataset, top, up }: { dataset: string; top: boolean; up: string }) {
  return (
    <EmptyState
      icon="folder"
      title={top ? 'This dataset has no files yet' : 'This folder is empty'}
      action={
        <>
          {!top && <ButtonLink href={up}>To the folder above</ButtonLink>}
          <ButtonLink href={routes.trash(dataset)} icon="trash">
            Look in the trash
          </ButtonLink>
        </>
      }
    >
      What was deleted is in the trash, as long as it can be restored.
    </EmptyState>
  );
}

function FolderStatus({ opened }: { opened: OpenFolder }) {
  const { store } = opened;
  const done = store.version.value > 0 && store.root.next === null;
  const count = formatCount(store.itemCount);
  return (
    <div class="status-bar">
      <span>
        {done
          ? `${count} ${store.itemCount === 1 ? 'entry' : 'entries'}`
          : `${count} loaded, more as you scroll`}
      </span>
      <span class="status-keys">
        <kbd>↑</kbd> <kbd>↓</kbd> move, <kbd>→</kbd> open here, <kbd>Enter</kbd> go in, <kbd>Backspace</kbd>{' '}
        up, type to find
      </span>
    </div>
  );
}

function columnsOf(dataset: string): Column<Child>[] {
  return [
    {
      key: 'name',
      title: 'Name',
      sort: 'name',
      render: (item) => <NameCell dataset={dataset} item={item} />,
    },
    { key: 'kind', title: 'Kind', render: (item) => kindText(item.kind) },
    { key: 'size', title: 'Size', numeric: true, render: sizeText },
    { key: 'state', title: 'State', render: (item) => <StateText state={item.state} /> },
    { key: 'created', title: 'Created', render: (item) => <Day time={item.created_at} /> },
    { key: 'updated', title: 'Changed', render: (item) => <Day time={item.updated_at} /> },
  ];
}

function NameCell({ dataset, item }: { dataset: string; item: Child }) {
  return (
    <>
      <Icon name={kindIcon(item)} />
      <Link href={routeOf(dataset, item)} tabIndex={-1} title={plainName(item.name)}>
        <Name name={item.name} />
        <span class="name-detail">
          {isFolder(item) ? sizeText(item) || 'Folder' : `${kindText(item.kind)} · ${formatBytes(item.size)}`}
          {item.updated_at && ` · ${formatDay(item.updated_at)}`}
        </span>
      </Link>
    </>
  );
}

/** Bytes of a file; of a folder, how many are in it. The service counts these up to 100. */
function sizeText(item: Child): string {
  if (!isFolder(item)) return formatBytes(item.size);
  if (item.children === null) return '';
  if (item.children === 0) return 'empty';
  return item.more_children ? `${item.children}+ items` : countOf(item.children, 'item');
}

export function StateText({ state }: { state: string }) {
  const { text, tone } = stateOf(state);
  return tone === 'plain' ? <span class="state-plain">{text}</span> : <Badge tone={tone}>{text}</Badge>;
}

function Day({ time }: { time: string | null }) {
  return <span title={formatMoment(time)}>{formatDay(time)}</span>;
}
