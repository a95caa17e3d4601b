import type { ComponentChildren } from 'preact';
import { useParams } from 'wouter-preact';
import { requestApi, wasAborted } from '../api/client';
import { ApiError } from '../api/problem';
import type { Asset, PackageMetadata, Page } from '../api/types';
import { ButtonLink } from '../components/Button';
import { DatasetHead, useDataset } from '../components/DatasetHead';
import { ErrorState, Skeleton } from '../components/States';
import { FilePage } from '../file/FilePage';
import { formatBytes, formatDay, formatMoment } from '../lib/format';
import { kindText } from '../lib/kinds';
import { routes } from '../lib/routes';
import { useLoad } from '../lib/useLoad';
import { useTitle } from '../lib/useTitle';
import { StateText } from './DatasetPage';
import './FileRoute.css';

interface Opened {
  file: PackageMetadata;
  assets: Asset[];
}

/** One file: what it is, and the file itself. */
export function FileRoute() {
  const { dataset, file } = useParams<{ dataset: string; file: string }>();
  const known = useDataset(dataset);
  const { data, error, reload } = useLoad(`file ${dataset} ${file}`, (signal) =>
    openFile(dataset, file, signal),
  );
  useTitle(data?.file.name);
  return (
    <div class="file-view">
      <DatasetHead
        dataset={dataset}
        known={known}
        view="files"
        path={data?.file.path ?? []}
        leaf={data?.file.name ?? '…'}
      />
      <Facts file={data?.file ?? null} />
      <div class="file-body">
        {error ? (
          <ErrorState error={error} retry={reload} action={<WhereElse dataset={dataset} error={error} />} />
        ) : data ? (
          <FilePage file={viewedFile(dataset, data)} />
        ) : (
          <Skeleton lines={8} label="Opening the file" />
        )}
      </div>
    </div>
  );
}

async function openFile(dataset: string, id: string, signal: AbortSignal): Promise<Opened> {
  const query = { dataset_id: dataset, package_id: id };
  const [file, assets] = await Promise.all([
    requestApi<PackageMetadata>('/metadata', { query, signal }),
    readAssets(query, signal),
  ]);
  return { file, assets };
}

/** The top level of the viewer assets. A file is worth seeing without them, so that a failure to list them counts as none. */
async function readAssets(
  query: { dataset_id: string; package_id: string },
  signal: AbortSignal,
): Promise<Asset[]> {
  try {
    return (await requestApi<Page<Asset>>('/assets', { query, signal })).items;
  } catch (error) {
    if (wasAborted(error)) throw error;
    return [];
  }
}

function viewedFile(datasetId: string, { file, assets }: Opened) {
  const { id: packageId, name, kind, size, files, state } = file;
  return { datasetId, packageId, name, kind, size, files, state, assets };
}

/** There from the beginning, so that nothing moves when the values come. */
function Facts({ file }: { file: PackageMetadata | null }) {
  const day = (time: string | null) => <span title={formatMoment(time)}>{formatDay(time)}</span>;
  return (
    <dl class="facts">
      <Fact name="Kind">{file && kindText(file.kind)}</Fact>
      <Fact name="Size">{file && formatBytes(file.size)}</Fact>
      <Fact name="State">{file && <StateText state={file.state} />}</Fact>
      <Fact name="Created">{file && day(file.created_at)}</Fact>
      <Fact name="Changed">{file && day(file.updated_at)}</Fact>
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children ?? <span class="fact-pending" />}</dd>
    </div>
  );
}

function WhereElse({ dataset, error }: { dataset: string; error: unknown }) {
  const gone = error instanceof ApiError && error.status === 404;
  return gone ? (
    <ButtonLink href={routes.trash(dataset)} icon="trash">
      Look in the trash
    </ButtonLink>
  ) : (
    <ButtonLink href={routes.dataset(dataset)}>To the dataset</ButtonLink>
  );
}
