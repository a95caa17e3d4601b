import { useState } from 'preact/hooks';
import { forgetDatasets } from '../api/datasets';
import { requestJson } from '../api/client';
import type { DemoUser } from '../api/types';
import { Button } from '../components/Button';
import { Icon } from '../components/Icon';
import { ErrorState, Notice, Skeleton } from '../components/States';
import { startLogin } from '../lib/login';
import { useLoad } from '../lib/useLoad';
import { useTitle } from '../lib/useTitle';
import { sessionEnded, sessionOfToken, signIn, type Session } from '../session';
import { currentSettings, type LoginSettings } from '../settings';
import { TokenForm } from './TokenForm';
import './SignInPage.css';

/** Shown in place of any page that needs somebody: after signing in, that page is there. */
export function SignInPage() {
  useTitle('Sign in');
  const demo = currentSettings().mode === 'dev';
  return (
    <div class="page sign-in">
      <div class="sign-in-head">
        <h1>{demo ? 'Who do you want to be?' : 'Sign in'}</h1>
        <p class="muted">
          {demo
            ? 'Each user of the demo has another role in its dataset. The service decides on every request what the role allows.'
            : 'The console shows what your role allows, and nothing more. It keeps your token in this tab only.'}
        </p>
      </div>
      {sessionEnded.value && (
        <Notice tone="warn">{`${sessionEnded.value} Sign in again to go on where you were.`}</Notice>
      )}
      {demo ? <DemoUsers /> : <Choices />}
    </div>
  );
}

function enter(session: Session): void {
  forgetDatasets();
  signIn(session);
}

const ROLES: Record<string, string> = {
  owner: 'May do everything with the dataset',
  manager: 'Sees, changes and restores files',
  editor: 'Sees files, and restores them from the trash',
  viewer: 'Sees files and the trash, restores nothing',
  guest: 'Belongs to the dataset, but sees no files',
};

function DemoUsers() {
  const { data, error, reload } = useLoad('users', (signal) =>
    requestJson<{ users: DemoUser[] }>('/console/users', { signal }),
  );
  const [busy, setBusy] = useState<string | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  const choose = async (user: DemoUser) => {
    setBusy(user.email);
    try {
      enter(await demoSession(user));
    } catch (cause) {
      setFailure(cause);
    }
    setBusy(null);
  };
  if (error) return <ErrorState error={error} retry={reload} />;
  return (
    <div class="card">
      {failure !== null && <ErrorState error={failure} />}
      <ul class="user-list">
        {data ? (
          data.users.map((user) => (
            <li key={user.email}>
              <button type="button" aria-disabled={busy !== null} onClick={() => busy ?? void choose(user)}>
                <Icon name="user" size={20} />
                <span class="user-text">
                  <strong>{user.email}</strong>
                  <span class="muted">
                    {ROLES[user.role ?? ''] ?? 'Belongs to another workspace, sees nothing of the demo'}
                  </span>
                </span>
                {busy === user.email ? <span class="spinner" /> : <Icon name="arrowRight" />}
              </button>
            </li>
          ))
        ) : (
          <Skeleton lines={8} label="Loading the users" />
        )}
      </ul>
    </div>
  );
}

async function demoSession({ name, email }: DemoUser): Promise<Session> {
  const path = `/console/users/${encodeURIComponent(name)}/token`;
  const { token } = await requestJson<{ token: string }>(path, { method: 'POST' });
  return { ...sessionOfToken(token, 'demo'), name: email };
}

function Choices() {
  const { login } = currentSettings();
  if (!login) return <TokenForm class="card sign-in-card" enter={enter} />;
  return (
    <div class="card">
      <PoolLogin login={login} />
      <details class="sign-in-other">
        <summary>Use an access token instead</summary>
        <TokenForm class="sign-in-card" enter={enter} />
      </details>
    </div>
  );
}

function PoolLogin({ login }: { login: LoginSettings }) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const leave = async () => {
    setBusy(true);
    try {
      await startLogin(login, location.pathname + location.search + location.hash);
    } catch (cause) {
      setFailure(cause);
      setBusy(false);
    }
  };
  return (
    <div class="sign-in-card">
      {failure !== null && <ErrorState error={failure} />}
      <Button look="primary" icon="key" busy={busy} onClick={() => void leave()}>
        Log in with your account
      </Button>
      <p class="sign-in-help">
        You log in at {new URL(login.authorize_url).host}, and come back to this page.
      </p>
    </div>
  );
}
