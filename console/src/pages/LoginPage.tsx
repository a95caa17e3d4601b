import { useLocation } from 'wouter-preact';
import { forgetDatasets } from '../api/datasets';
import { ButtonLink } from '../components/Button';
import { ErrorState, Skeleton } from '../components/States';
import { finishLogin } from '../lib/login';
import { routes } from '../lib/routes';
import { useLoad } from '../lib/useLoad';
import { useTitle } from '../lib/useTitle';
import { signIn } from '../session';
import { currentSettings } from '../settings';

/** Where the user pool's page sends people back to. */
export function LoginPage() {
  useTitle('Sign in');
  const [, navigate] = useLocation();
  const { error } = useLoad('login', async () => {
    const query = new URLSearchParams(location.search);
    // The code goes from the address before anything else can read it there.
    history.replaceState(null, '', routes.login());
    const { login } = currentSettings();
    if (!login) throw new Error('No login page is configured for this service.');
    const { session, from } = await finishLogin(login, query);
    forgetDatasets();
    signIn(session);
    navigate(from === routes.login() ? routes.home() : from, { replace: true });
    return true;
  });
  if (!error) return <Skeleton lines={4} label="Signing in" />;
  return (
    <ErrorState error={error} action={<ButtonLink href={routes.home()}>Back to the sign-in</ButtonLink>} />
  );
}
