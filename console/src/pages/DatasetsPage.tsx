import { useState } from 'preact/hooks';
import { Link, useLocation, useParams } from 'wouter-preact';
import { mayView, readDatasets } from '../api/datasets';
import type { Dataset, Workspace } from '../api/types';
import { Button } from '../components/Button';
import { Icon } from '../components/Icon';
import { Name } from '../components/Name';
import { Badge, EmptyState, ErrorState, Notice, Skeleton } from '../components/States';
import { formatBytes, formatMoment, formatRelative } from '../lib/format';
import { routes } from '../lib/routes';
import { useLoad } from '../lib/useLoad';
import { useTitle } from '../lib/useTitle';
import './DatasetsPage.css';

export function DatasetsPage() {
  useTitle('Datasets');
  const { workspace } = useParams<{ workspace?: string }>();
  const { data, error, reload } = useLoad(`datasets ${workspace ?? ''}`, (signal) =>
    readDatasets(workspace ?? null, null, signal),
  );
  return (
    <div class="page page-narrow">
      <div class="page-head">
        <h1>Datasets</h1>
        {data && <WorkspaceChoice workspaces={data.workspaces} chosen={workspace} />}
      </div>
      <div class="card">
        {error ? (
          <ErrorState error={error} retry={reload} />
        ) : data ? (
          <DatasetList key={workspace} workspace={workspace ?? null} first={data} />
        ) : (
          <Skeleton lines={6} label="Loading the datasets" />
        )}
      </div>
    </div>
  );
}

function WorkspaceChoice({ workspaces, chosen }: { workspaces: Workspace[]; chosen: string | undefined }) {
  const [, navigate] = useLocation();
  const current = workspaces.find(({ id, active }) => (chosen ? String(id) === chosen : active));
  if (workspaces.length < 2) return current ? <bdi class="muted">{current.name}</bdi> : null;
  return (
    <label class="workspace-choice">
      <span>Workspace</span>
      <select
        value={String(current?.id ?? '')}
        onChange={(event) => navigate(routes.datasets(event.currentTarget.value))}
      >
        {workspaces.map(({ id, name }) => (
          <option key={id} value={String(id)}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function DatasetList({
  workspace,
  first,
}: {
  workspace: string | null;
  first: { items: Dataset[]; next: string | null };
}) {
  const [pages, setPages] = useState(first);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const loadMore = async () => {
    setBusy(true);
    setFailure(null);
    try {
      const page = await readDatasets(workspace, pages.next, AbortSignal.timeout(60_000));
      setPages({ items: [...pages.items, ...page.items], next: page.next });
    } catch (error) {
      setFailure(error);
    }
    setBusy(false);
  };
  if (pages.items.length === 0) return <NoDatasets />;
  return (
    <>
      <ul class="dataset-list">
        {pages.items.map((dataset) => (
          <DatasetItem key={dataset.id} dataset={dataset} />
        ))}
      </ul>
      {failure !== null && <ErrorState error={failure} />}
      {pages.next !== null && (
        <div class="list-more">
          <Button busy={busy} onClick={() => void loadMore()}>
            Show more
          </Button>
        </div>
      )}
    </>
  );
}

function DatasetItem({ dataset }: { dataset: Dataset }) {
  return (
    <li>
      <Link href={routes.dataset(dataset.id)} class="dataset-item">
        <Icon name="dataset" size={22} />
        <span class="dataset-name">
          <Name name={dataset.name} />
          <span class="dataset-detail">
            {dataset.bytes !== null && <span>{formatBytes(dataset.bytes)}</span>}
            {dataset.updated_at && (
              <span title={formatMoment(dataset.updated_at)}>
                changed {formatRelative(dataset.updated_at)}
              </span>
            )}
            {dataset.status && <bdi>{dataset.status}</bdi>}
          </span>
        </span>
        <Badge tone={mayView(dataset.role) ? 'accent' : 'warn'}>{dataset.role}</Badge>
      </Link>
    </li>
  );
}

function NoDatasets() {
  return (
    <EmptyState icon="dataset" title="No dataset is shared with you here">
      You have no role in a dataset of this workspace. Ask the owner of a dataset, or choose another
      workspace.
    </EmptyState>
  );
}

/** Said on the pages of a dataset to whoever may not see its files. */
export function NoAccessNotice({ role }: { role: string }) {
  return (
    <Notice tone="warn" icon="lock">
      Your role here is <strong>{role}</strong>, which sees no files. Viewers and up do: ask the owner of the
      dataset.
    </Notice>
  );
}
