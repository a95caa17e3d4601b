import { signal } from '@preact/signals';
import { readClaims, textClaim } from './lib/token';

/** Who is signed in, in this tab. */
export interface Session {
  /** The access token. It stays in memory and in the tab's sessionStorage: never in a URL or a log. */
  token: string;
  /** What to call the person: an e-mail address, or the token's subject. */
  name: string;
  /** Where the token is from: the page of `dev`, the user pool's page, or the person. */
  source: 'demo' | 'login' | 'pasted';
  /** In milliseconds since the epoch; null if unknown. */
  expiresAt: number | null;
}

const KEY = 'packages-service.session';

/** Why there is nobody any more, in a sentence: the sign-in page says so. Null after a sign-out. */
export const sessionEnded = signal<string | null>(null);

export const session = signal<Session | null>(readStored());

export function signIn(next: Session): void {
  session.value = next;
  sessionEnded.value = null;
  try {
    sessionStorage.setItem(KEY, JSON.stringify(next));
  } catch {
    // Without storage the session ends with a reload.
  }
}

/** `reason` is a sentence, if the person did not ask for it. */
export function signOut(reason: string | null = null): void {
  session.value = null;
  sessionEnded.value = reason;
  forgetStored();
}

function forgetStored(): void {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // Nothing was stored.
  }
}

function readStored(): Session | null {
  try {
    const stored = JSON.parse(sessionStorage.getItem(KEY) ?? 'null') as Session | null;
    if (!stored || !hasExpired(stored)) return stored;
    sessionEnded.value = 'Your session has ended.';
  } catch {
    // What is stored is not ours.
  }
  forgetStored();
  return null;
}

export function hasExpired({ expiresAt }: Pick<Session, 'expiresAt'>, now = Date.now()): boolean {
  return expiresAt !== null && expiresAt <= now;
}

/**
 * The session of an access token. The claims only label it: the service checks the token, not this page. An access token of Cognito has
 * no e-mail address; the ID token that comes with it may have one.
 */
export function sessionOfToken(token: string, source: Session['source'], idToken?: string): Session {
  const claims = readClaims(token);
  const person = idToken === undefined ? claims : { ...claims, ...readClaims(idToken) };
  const name = textClaim(person, 'email', 'username', 'cognito:username', 'sub');
  const { exp } = claims;
  return { token, name: name ?? 'Signed in', source, expiresAt: typeof exp === 'number' ? exp * 1000 : null };
}
