import { useEffect } from 'preact/hooks';

/** The window's title: what is shown, then the service. */
export function useTitle(title: string | null | undefined): void {
  useEffect(() => {
    document.title = title ? `${title} · packages-service` : 'packages-service';
  }, [title]);
}
