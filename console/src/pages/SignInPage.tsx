import { EmptyState } from '../components/States';

export function SignInPage() {
  return <EmptyState icon="info" title="Not here yet" />;
}
