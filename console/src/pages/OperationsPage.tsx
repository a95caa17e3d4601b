import { EmptyState } from '../components/States';

export function OperationsPage() {
  return <EmptyState icon="info" title="Not here yet" />;
}
