import { EmptyState } from '../components/States';

export function TrashPage() {
  return <EmptyState icon="info" title="Not here yet" />;
}
