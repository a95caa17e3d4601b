import { requestApi } from '../api/client';
import type { PresignedLink } from '../api/types';
import { session } from '../session';
import { currentSettings } from '../settings';
import type { ApiDocument, Operation } from './document';
import type { Filled } from './request';
import { sampleOf } from './sample';

/** Values with which a request works at once, where there is a demo. Nothing changes by them. */
export function firstValues(document: ApiDocument, operation: Operation): Filled {
  const demo = currentSettings().demo ?? {};
  const known: Record<string, string | number | undefined> = {
    dataset_id: demo.dataset_node_id,
    package_id: operation.id.includes('estore')
      ? demo.trashed_folder
      : operation.path === '/assets'
        ? demo.spikes
        : demo.table,
    redirect: 'false',
    dry_run: 'true',
    name: 'units.csv',
  };
  if (operation.path === '/cloudfront/sign') known.package_id = demo.spikes;
  const values: Record<string, string> = {};
  for (const { name, schema, required } of operation.parameters) {
    const example = required ? sampleOf(document, schema, name) : '';
    values[name] = String(known[name] ?? (typeof example === 'string' ? example : ''));
  }
  return { values, body: operation.body ? bodyOf(document, operation, demo) : '' };
}

/** Values that only the service can give, asked for when somebody is about to send them: a link, for the proxy. */
export async function askForValues(operation: Operation): Promise<Record<string, string>> {
  const demo = currentSettings().demo;
  if (!operation.parameters.some(({ name }) => name === 'presigned_url') || !demo || !session.value)
    return {};
  const query = { dataset_id: demo.dataset_node_id, package_id: demo.table, redirect: false };
  try {
    const { presigned_url } = await requestApi<PresignedLink>('/presign/s3', { query });
    return { presigned_url };
  } catch {
    // Whoever may not have a link to it fills in another.
    return {};
  }
}

function bodyOf(document: ApiDocument, operation: Operation, demo: Record<string, string | number>): string {
  const bodies: Record<string, unknown> = {
    restore: { nodeIds: [demo.trashed_folder] },
    presignS3Batch: {
      items: [{ package_id: demo.table }, { package_id: demo.spikes, path: 'spikes.parquet' }],
    },
    downloadManifest: { nodeIds: [demo.recordings] },
  };
  const known = demo.dataset_node_id ? bodies[operation.id] : undefined;
  return JSON.stringify(known ?? sampleOf(document, operation.body?.schema), null, 2);
}
