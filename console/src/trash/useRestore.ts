import { useCallback, useEffect, useState } from 'preact/hooks';
import { useSearchParams } from 'wouter-preact';
import type { OrderResponse, RestorePreview } from '../api/types';
import { session } from '../session';
import { forgetFolders } from '../tree/folders';
import { RestoreJob } from './restore';

/** How many ids an address holds: the progress of a larger order is not found again after a reload. */
const MAX_IN_ADDRESS = 20;

/** By person and dataset. Jobs go on while other pages are shown. */
const jobs = new Map<string, RestoreJob>();

/** The restore that a page of the trash shows. `onChange` is called when the trash has changed. */
export function useRestore(dataset: string, onChange: () => void) {
  const [query, setQuery] = useSearchParams();
  const key = `${session.value?.name ?? ''} ${dataset}`;
  const [job, setJob] = useState<RestoreJob | null>(jobs.get(key) ?? null);
  const start = useCallback(
    (ids: string[], preview: RestorePreview | null, refused: OrderResponse['failures']) => {
      jobs.get(key)?.stop();
      const next = new RestoreJob(dataset, ids, preview, refused, () => {
        forgetFolders();
        onChange();
      });
      jobs.set(key, next);
      setJob(next);
      void next.follow();
    },
    [dataset, key, onChange],
  );
  useEffect(() => {
    // A link to a restore, or a reload during one.
    const asked = query.getAll('restore').slice(0, MAX_IN_ADDRESS);
    if (asked.length > 0 && !jobs.has(key)) start(asked, null, []);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- once for each dataset
  }, [dataset]);
  const begin = (order: OrderResponse, preview: RestorePreview) => {
    start(order.success, preview, order.failures);
    const shown = order.success.slice(0, MAX_IN_ADDRESS);
    setQuery(new URLSearchParams(shown.map((id) => ['restore', id])), { replace: true });
    onChange();
  };
  const close = () => {
    jobs.delete(key);
    setJob(null);
    setQuery(new URLSearchParams(), { replace: true });
  };
  return { job, begin, close };
}
