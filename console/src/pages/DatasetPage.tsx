import { EmptyState } from '../components/States';

export function DatasetPage() {
  return <EmptyState icon="info" title="Not here yet" />;
}
