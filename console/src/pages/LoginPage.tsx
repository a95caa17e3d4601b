import { useState } from 'preact/hooks';
import { useLocation } from 'wouter-preact';
import { forgetDatasets } from '../api/datasets';
import { Button, ButtonLink } from '../components/Button';
import { ErrorState, Skeleton } from '../components/States';
import { finishLogin, startLogin, takePending } from '../lib/login';
import { routes } from '../lib/routes';
import { useLoad } from '../lib/useLoad';
import { useTitle } from '../lib/useTitle';
import { session, signIn } from '../session';
import { currentSettings } from '../settings';

/** Where the user pool's page sends people back to. */
export function LoginPage() {
  useTitle('Sign in');
  const [, navigate] = useLocation();
  const [from, setFrom] = useState<string>(routes.home());
  const [failure, setFailure] = useState<unknown>(null);
  const { login } = currentSettings();
  const { error } = useLoad('login', async () => {
    const query = new URLSearchParams(location.search);
    // The code goes from the address before anything else can read it there.
    history.replaceState(null, '', routes.login());
    const pending = takePending(query);
    const back = pending?.from ?? routes.home();
    setFrom(back);
    // By "back" in the browser, or an address without an answer: nothing is to be done here.
    const isOver = !pending && (session.value !== null || query.size === 0);
    if (!isOver && login) {
      const next = await finishLogin(login, query, pending);
      forgetDatasets();
      signIn(next);
    }
    navigate(back, { replace: true });
    return true;
  });
  if (!error) return <Skeleton lines={4} label="Signing in" />;
  const actions = (
    <>
      {login && (
        <Button look="primary" icon="key" onClick={() => void startLogin(login, from).catch(setFailure)}>
          Log in again
        </Button>
      )}
      <ButtonLink href={from}>Back</ButtonLink>
    </>
  );
  return (
    <div class="page">
      <ErrorState error={failure ?? error} action={actions} />
    </div>
  );
}
