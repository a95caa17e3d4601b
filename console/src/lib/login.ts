import { ApiError, parseProblem, unreachable } from '../api/problem';
import { sessionOfToken, type Session } from '../session';
import type { LoginSettings } from '../settings';

/** What has to survive the way to the user pool's page and back, in this tab. */
interface Pending {
  state: string;
  verifier: string;
  /** The path where the person was. */
  from: string;
}

const KEY = 'packages-service.login';

/** Leaves for the user pool's page (authorization code with PKCE, RFC 7636). */
export async function startLogin(login: LoginSettings): Promise<void> {
  const pending: Pending = { state: randomText(), verifier: randomText(), from: location.pathname };
  sessionStorage.setItem(KEY, JSON.stringify(pending));
  location.assign(await authorizeUrl(login, pending, redirectUri()));
}

export async function authorizeUrl(
  login: LoginSettings,
  pending: Pending,
  redirect: string,
): Promise<string> {
  const url = new URL(login.authorize_url);
  const scopes = Array.isArray(login.scopes) ? login.scopes.join(' ') : login.scopes;
  const parameters = {
    response_type: 'code',
    client_id: login.client_id,
    redirect_uri: redirect,
    scope: scopes,
    state: pending.state,
    code_challenge: await challengeOf(pending.verifier),
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/** Exchanges the code that the user pool's page sent back. Only the tab that left for it can. */
export async function finishLogin(
  login: LoginSettings,
  query: URLSearchParams,
): Promise<{ session: Session; from: string }> {
  const pending = takePending();
  const code = query.get('code');
  const refused = query.get('error_description') ?? query.get('error');
  if (refused) throw new Error(refused);
  if (!code || !pending || pending.state !== query.get('state')) {
    throw new Error('This login was not begun in this tab, or has been used already. Begin again.');
  }
  const token = await exchange(login, code, pending.verifier);
  return { session: sessionOfToken(token), from: pending.from };
}

async function exchange(login: LoginSettings, code: string, verifier: string): Promise<string> {
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: login.client_id,
    redirect_uri: redirectUri(),
    code,
    code_verifier: verifier,
  });
  const response = await fetch(login.token_url, { method: 'POST', body }).catch((error: unknown) => {
    throw unreachable(error);
  });
  const text = await response.text();
  if (!response.ok) throw new ApiError(parseProblem(response.status, response.headers, text));
  return (JSON.parse(text) as { access_token: string }).access_token;
}

function takePending(): Pending | null {
  const stored = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  return stored ? (JSON.parse(stored) as Pending) : null;
}

function redirectUri(): string {
  return `${location.origin}/login`;
}

export async function challengeOf(verifier: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  return base64Url(new Uint8Array(digest));
}

function randomText(): string {
  return base64Url(crypto.getRandomValues(new Uint8Array(32)));
}

function base64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=+$/, '');
}
