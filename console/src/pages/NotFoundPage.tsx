import { ButtonLink } from '../components/Button';
import { EmptyState } from '../components/States';
import { routes } from '../lib/routes';
import { useTitle } from '../lib/useTitle';

export function NotFoundPage() {
  useTitle('Nothing is here');
  return (
    <EmptyState
      icon="search"
      title="Nothing is here"
      action={<ButtonLink href={routes.home()}>To the datasets</ButtonLink>}
    >
      The address is not one of the console. It may be cut off, or belong to another version.
    </EmptyState>
  );
}
