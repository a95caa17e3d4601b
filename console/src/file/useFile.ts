import { useEffect, useMemo } from 'preact/hooks';
import { requestApi } from '../api/client';
import type { ViewedFile } from '../viewers/types';
import { systemClock } from './clock';
import { LinkKeeper, obtainLink, type ApiRequest } from './link';
import { FileSource } from './source';
import { Traffic } from './traffic';
import { wantsInline, type FileView, type ViewRoute } from './views';

/** A link that is kept alive while the page shows the file, and what is read through it. Another route makes others. */
export function useFileSource(file: ViewedFile, view: FileView, route: ViewRoute): FileSource {
  const { datasetId, packageId } = file;
  const inline = wantsInline(view.viewer);
  const source = useMemo(() => {
    const traffic = new Traffic();
    const target = { datasetId, packageId, route: route.route, path: route.path, inline };
    const keeper = new LinkKeeper(
      (signal) => obtainLink(countedRequest(traffic), target, systemClock, signal),
      systemClock,
    );
    return new FileSource(keeper, traffic);
  }, [datasetId, packageId, route, inline]);
  useEffect(() => {
    // Files without a viewer have a link, too.
    source.keeper.current().catch(() => undefined);
    return () => source.keeper.close();
  }, [source]);
  return source;
}

function countedRequest(traffic: Traffic): ApiRequest {
  return async <T>(path: string, options: Parameters<ApiRequest>[1]) => {
    const entry = traffic.start('a new link', ['api']);
    try {
      const answer = await requestApi<T>(path, options);
      traffic.end(entry, 200);
      return answer;
    } catch (error) {
      traffic.end(entry, error instanceof Error && 'status' in error ? Number(error.status) : 0);
      throw error;
    }
  };
}
