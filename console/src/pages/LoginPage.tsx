import { EmptyState } from '../components/States';

export function LoginPage() {
  return <EmptyState icon="info" title="Not here yet" />;
}
