import { encodeQuery, type Query } from '../api/client';

// Node ids have colons, which a path may contain as they are (RFC 3986, section 3.3).
function segment(id: string): string {
  return encodeURIComponent(id).replace(/%3A/gi, ':');
}

/** The addresses of the console's views. */
export const routes = {
  home: () => '/',
  login: () => '/login',
  datasets: (workspace: number | string) => `/datasets/${workspace}`,
  dataset: (dataset: string, query: Query = {}) => `/dataset/${segment(dataset)}${encodeQuery(query)}`,
  folder: (dataset: string, folder: string, query: Query = {}) =>
    `/dataset/${segment(dataset)}/folder/${segment(folder)}${encodeQuery(query)}`,
  file: (dataset: string, file: string) => `/dataset/${segment(dataset)}/file/${segment(file)}`,
  trash: (dataset: string, query: Query = {}) => `/dataset/${segment(dataset)}/trash${encodeQuery(query)}`,
  operations: () => '/operations',
  docs: (operation?: string) => (operation ? `/docs#${operation}` : '/docs'),
};

/** Where a package is shown: a folder as a list, anything else as a file. */
export function routeOf(dataset: string, item: { id: string; kind: string }): string {
  return item.kind === 'Collection' ? routes.folder(dataset, item.id) : routes.file(dataset, item.id);
}
