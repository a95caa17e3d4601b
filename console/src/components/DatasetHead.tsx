import { Link } from 'wouter-preact';
import { findDataset, knownDataset } from '../api/datasets';
import type { Dataset, PathPart } from '../api/types';
import { plainName } from '../lib/names';
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

/** The way to what is shown, and its name as the heading. Neither takes more lines when the names come. */
function Breadcrumbs(props: Omit<DatasetHeadProps, 'known'> & { name: string }) {
  const { dataset, name, path, leaf, view } = props;
  const above = [
    { name: 'Datasets', href: routes.home() },
    { name, href: routes.dataset(dataset) },
  ];
  for (const part of path ?? []) above.push({ name: part.name, href: routes.folder(dataset, part.id) });
  const shown = leaf ?? (view === 'trash' ? 'Trash' : above.pop()?.name);
  return (
    <nav aria-label="Path" class="breadcrumbs">
      <ol>
        {above.map((crumb) => (
          <li key={crumb.href}>
            <Link href={crumb.href} title={plainName(crumb.name)}>
              <Name name={crumb.name} />
            </Link>
            <Icon name="chevronRight" size={14} />
          </li>
        ))}
      </ol>
      <h1 aria-current="page" title={plainName(shown ?? '')}>
        <Name name={shown ?? ''} />
      </h1>
    </nav>
  );
}
