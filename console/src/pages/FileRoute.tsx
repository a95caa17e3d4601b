import { EmptyState } from '../components/States';

export function FileRoute() {
  return <EmptyState icon="info" title="Not here yet" />;
}
