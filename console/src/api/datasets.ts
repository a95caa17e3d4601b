import type { Dataset, DatasetPage, Workspace } from './types';
import { requestApi } from './client';

const LIMIT = 100;
/** How many pages of a workspace are searched for a dataset by its id. */
const MAX_PAGES = 10;

const known = new Map<string, Dataset>();

/** Forgets everything, as another person signs in. */
export function forgetDatasets(): void {
  known.clear();
}

export async function readDatasets(
  workspace: string | number | null,
  cursor: string | null,
  signal: AbortSignal,
): Promise<DatasetPage> {
  const page = await requestApi<DatasetPage>('/datasets', {
    query: { workspace, cursor, limit: LIMIT },
    signal,
  });
  for (const dataset of page.items) known.set(dataset.id, dataset);
  return page;
}

/** Name and role of a dataset: the API lists datasets by name, not by id. Null if it is in none of the person's workspaces. */
export async function findDataset(id: string, signal: AbortSignal): Promise<Dataset | null> {
  const workspaces = await searchWorkspace(id, null, signal);
  for (const workspace of workspaces) {
    if (known.has(id)) break;
    if (!workspace.active) await searchWorkspace(id, workspace.id, signal);
  }
  return known.get(id) ?? null;
}

export function knownDataset(id: string): Dataset | null {
  return known.get(id) ?? null;
}

async function searchWorkspace(
  id: string,
  workspace: number | null,
  signal: AbortSignal,
): Promise<Workspace[]> {
  let cursor: string | null = null;
  let workspaces: Workspace[] = [];
  for (let count = 0; count < MAX_PAGES && !known.has(id); count += 1) {
    const page: DatasetPage = await readDatasets(workspace, cursor, signal);
    workspaces = page.workspaces;
    cursor = page.next;
    if (cursor === null) break;
  }
  return workspaces;
}

/** Whether a role may restore: editors and up have CreateDeleteFiles. */
export function mayRestore(role: string | undefined): boolean {
  return role === undefined || ['editor', 'manager', 'owner'].includes(role.toLowerCase());
}

/** Whether a role may see files: viewers and up have ViewFiles. */
export function mayView(role: string): boolean {
  return ['viewer', 'editor', 'manager', 'owner'].includes(role.toLowerCase());
}
