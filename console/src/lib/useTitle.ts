import { useEffect } from 'preact/hooks';
import { plainName } from './names';

/** The window's title: what is shown, then the service. */
export function useTitle(title: string | null | undefined): void {
  useEffect(() => {
    document.title = title ? `${plainName(title)} · packages-service` : 'packages-service';
  }, [title]);
}
