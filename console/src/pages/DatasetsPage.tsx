import { EmptyState } from '../components/States';

export function DatasetsPage() {
  return <EmptyState icon="info" title="Not here yet" />;
}
