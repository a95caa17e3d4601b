import { EmptyState } from '../components/States';

export function NotFoundPage() {
  return <EmptyState icon="info" title="Not here yet" />;
}
