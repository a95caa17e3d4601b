import { EmptyState } from '../components/States';

export function ReferencePage() {
  return <EmptyState icon="info" title="Not here yet" />;
}
