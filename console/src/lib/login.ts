import { localError, parseObject, type ApiError } from '../api/problem';
import { sessionOfToken, type Session } from '../session';
import type { LoginSettings } from '../settings';

/** What has to survive the way to the user pool's page and back, in this tab. */
export interface Pending {
  state: string;
  verifier: string;
  /** Path, query and fragment of the page where the person was. */
  from: string;
}

const KEY = 'packages-service.login';
/** How long the user pool may take to answer, in milliseconds. */
const TIMEOUT = 20_000;

/** Leaves for the user pool's page (authorization code with PKCE, RFC 7636). Afterwards the person is at `from` again. */
export async function startLogin(login: LoginSettings, from: string): Promise<void> {
  // Browsers hash for a secure context only: a page by HTTPS, or of this machine.
  if (!isSecureContext) throw localError('Logging in needs HTTPS', 'Open this page by https://.');
  const pending: Pending = { state: randomText(), verifier: randomText(), from };
  const url = await authorizeUrl(login, pending, redirectUri());
  sessionStorage.setItem(KEY, JSON.stringify(pending));
  location.assign(url);
}

export async function authorizeUrl(
  login: LoginSettings,
  pending: Pending,
  redirect: string,
): Promise<string> {
  return addParameters(login.authorize_url, {
    response_type: 'code',
    client_id: login.client_id,
    redirect_uri: redirect,
    scope: login.scopes.join(' '),
    state: pending.state,
    code_challenge: await challengeOf(pending.verifier),
    code_challenge_method: 'S256',
  });
}

/** Where the user pool forgets who logged in, and sends people back to the console (Amazon Cognito, "Logout endpoint"). */
export function logoutUrl(login: LoginSettings, origin: string): string {
  return addParameters(login.logout_url, { client_id: login.client_id, logout_uri: `${origin}/` });
}

function addParameters(address: string, parameters: Record<string, string>): string {
  const url = new URL(address);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/** The login that was begun in this tab, if the user pool's answer is to it. It is forgotten: an answer counts once. */
export function takePending(query: URLSearchParams): Pending | null {
  const stored = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  const pending = stored ? (JSON.parse(stored) as Pending) : null;
  return pending && pending.state === query.get('state') ? pending : null;
}

/** Exchanges the code that the user pool's page sent back. */
export async function finishLogin(
  login: LoginSettings,
  query: URLSearchParams,
  pending: Pending | null,
): Promise<Session> {
  // Whoever made the address of another login chose its texts too: they are not shown.
  if (!pending)
    throw localError('This login was not begun in this tab', 'Or it has been used already. Log in again.');
  const refused = query.get('error');
  if (refused !== null) throw refusedLogin(refused, query.get('error_description'));
  const code = query.get('code');
  if (!code) throw localError('The user pool sent no code', 'Log in again.');
  const tokens = await exchange(login, code, pending.verifier);
  return sessionOfToken(tokens.access_token, 'login', tokens.id_token);
}

interface Tokens {
  access_token: string;
  /** It only says what to call the person. */
  id_token?: string;
}

async function exchange(login: LoginSettings, code: string, verifier: string): Promise<Tokens> {
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: login.client_id,
    redirect_uri: redirectUri(),
    code,
    code_verifier: verifier,
  });
  const signal = AbortSignal.timeout(TIMEOUT);
  const [response, text] = await post(login.token_url, { body, signal });
  const answer = parseObject(text);
  if (response.ok && typeof answer.access_token === 'string') return answer as unknown as Tokens;
  throw refusedCode(response.status, answer.error);
}

async function post(url: string, options: RequestInit): Promise<[Response, string]> {
  try {
    const response = await fetch(url, { ...options, method: 'POST', credentials: 'omit' });
    return [response, await response.text()];
  } catch {
    throw localError('The user pool cannot be reached', 'Is this computer online? Log in again in a moment.');
  }
}

/** The user pool's page sent an error in place of a code (RFC 6749, section 4.1.2.1). */
function refusedLogin(error: string, description: string | null): ApiError {
  const said = `The user pool says: ${description ?? error}.`.replace(/\.\.$/, '.');
  if (error === 'access_denied') return localError('You were not logged in', said);
  return localError('The user pool refused the login', said);
}

/** The token endpoint's errors (Amazon Cognito Developer Guide, "Token endpoint"). */
function refusedCode(status: number, error: unknown): ApiError {
  if (error === 'invalid_grant')
    return localError('This login is over', 'Its code was used already, or is too old. Log in again.');
  if (status >= 400 && status < 500 && typeof error === 'string')
    return localError(
      'The user pool refused the login',
      `It says: ${error}. Whoever runs this service has to correct the pool's app client.`,
    );
  return localError('The user pool failed', 'Log in again in a moment.');
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
