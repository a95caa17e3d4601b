import { useCallback, useEffect, useState } from 'preact/hooks';
import { wasAborted } from '../api/client';

export interface Loaded<T> {
  data: T | null;
  error: unknown;
  loading: boolean;
  reload: () => void;
}

/**
 * Loads when `key` changes, and again by `reload`. A change of key ends the request before it, and forgets what that had loaded.
 * `load` may be a new function at each call: only `key` counts.
 */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [state, setState] = useState<{ key: string; data: T | null; error: unknown; loading: boolean }>({
    key,
    data: null,
    error: null,
    loading: true,
  });
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    const controller = new AbortController();
    setState((before) => ({
      key,
      data: before.key === key ? before.data : null,
      error: null,
      loading: true,
    }));
    load(controller.signal).then(
      (data) => setState({ key, data, error: null, loading: false }),
      (error: unknown) => {
        if (!wasAborted(error)) setState((before) => ({ ...before, error, loading: false }));
      },
    );
    return () => controller.abort();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `key` stands for what `load` reads
  }, [key, attempt]);
  const reload = useCallback(() => setAttempt((before) => before + 1), []);
  return state.key === key ? { ...state, reload } : { data: null, error: null, loading: true, reload };
}
