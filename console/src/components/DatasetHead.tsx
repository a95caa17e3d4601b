import { Link } from 'wouter-preact';
import { findDataset, knownDataset } from '../api/datasets';
import type { Dataset, PathPart } from '../api/types';
import { routes } from '../lib/routes';
import { useLoad } from '../lib/useLoad';
import { Icon } from './Icon';
import { Name } from './Name';
import { Badge } from './States';
import './DatasetHead.css';

/** Name and role of a dataset; null while they load, and for one that is not shared with the person. */
export function useDataset(id: string): Dataset | null {
  const { data } = useLoad(`dataset ${id}`, (signal) => findDataset(id, signal));
  return data ?? knownDataset(id);
}

interface DatasetHeadProps {
  dataset: string;
  known: Dataset | null;
  view: 'files' | 'trash';
  /** The folders above what is shown, outermost first; null while they load. */
  path: PathPart[] | null;
  /** The last part, if it is no folder. */
  leaf?: string;
}

/** Where one is, and the two sides of a dataset. */
export function DatasetHead({ dataset, known, view, path, leaf }: DatasetHeadProps) {
  return (
    <div class="dataset-head">
      <Breadcrumbs dataset={dataset} name={known?.name ?? 'Dataset'} path={path} leaf={leaf} view={view} />
      <div class="dataset-side">
        {known && <Badge tone="accent">{known.role}</Badge>}
        <nav aria-label="Dataset" class="tabs">
          <Link href={routes.dataset(dataset)} aria-current={view === 'files' ? 'page' : undefined}>
            <Icon name="folder" size={16} /> Files
          </Link>
          <Link href={routes.trash(dataset)} aria-current={view === 'trash' ? 'page' : undefined}>
            <Icon name="trash" size={16} /> Trash
          </Link>
        </nav>
      </div>
    </div>
  );
}

function Breadcrumbs(props: Omit<DatasetHeadProps, 'known'> & { name: string }) {
  const { dataset, name, path, leaf, view } = props;
  const isFile = leaf !== undefined;
  const folders = path ?? [];
  const inTrash = view === 'trash';
  const top = folders.length === 0 && !isFile && !inTrash;
  return (
    <nav aria-label="Path" class="breadcrumbs">
      <ol>
        <li>
          <Link href={routes.home()}>Datasets</Link>
        </li>
        <Crumb name={name} href={routes.dataset(dataset)} last={top} />
        {folders.map((part, index) => (
          <Crumb
            key={part.id}
            name={part.name}
            href={routes.folder(dataset, part.id)}
            last={!isFile && index === folders.length - 1}
          />
        ))}
        {isFile && <Crumb name={leaf} last />}
        {inTrash && <Crumb name="Trash" last />}
      </ol>
    </nav>
  );
}

/** The last part is the page's heading. */
function Crumb({ name, href, last }: { name: string; href?: string; last: boolean }) {
  return (
    <li class={last ? 'crumb-last' : undefined}>
      <Icon name="chevronRight" size={14} />
      {last ? (
        <h1 aria-current="page">
          <Name name={name} />
        </h1>
      ) : (
        <Link href={href ?? ''}>
          <Name name={name} />
        </Link>
      )}
    </li>
  );
}
