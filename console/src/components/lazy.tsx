import type { ComponentType } from 'preact';
import { useLoad } from '../lib/useLoad';
import { ErrorState, Skeleton } from './States';

let count = 0;

/** A component whose code is loaded when it is first shown. */
export function lazy<P extends object = object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  count += 1;
  const key = `component ${count}`;
  let loaded: ComponentType<P> | undefined;
  return function Lazy(props: P) {
    const { error, reload } = useLoad(key, async () => (loaded ??= await load()));
    const Component = loaded;
    if (Component) return <Component {...props} />;
    return error ? <ErrorState error={error} retry={reload} /> : <Skeleton lines={6} />;
  };
}
