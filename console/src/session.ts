import { signal } from '@preact/signals';

/** Who is signed in, in this tab. */
export interface Session {
  /** The access token. It stays in memory and in the tab's sessionStorage: never in a URL or a log. */
  token: string;
  /** What to call the person: an e-mail address, or the token's subject. */
  name: string;
  /** A demo user of `dev`, whose token the page can renew by itself. */
  demoUser: boolean;
  /** In milliseconds since the epoch; null if unknown. */
  expiresAt: number | null;
}

const KEY = 'packages-service.session';

export const session = signal<Session | null>(readStored());

/** Set when the service refused the token: the sign-in page says so. */
export const sessionEnded = signal(false);

export function signIn(next: Session): void {
  session.value = next;
  sessionEnded.value = false;
  try {
    sessionStorage.setItem(KEY, JSON.stringify(next));
  } catch {
    // Without storage the session ends with a reload.
  }
}

export function signOut(ended = false): void {
  session.value = null;
  sessionEnded.value = ended;
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // Nothing was stored.
  }
}

function readStored(): Session | null {
  try {
    const stored = JSON.parse(sessionStorage.getItem(KEY) ?? 'null') as Session | null;
    return stored && !hasExpired(stored) ? stored : null;
  } catch {
    return null;
  }
}

export function hasExpired(candidate: Session, now = Date.now()): boolean {
  return candidate.expiresAt !== null && candidate.expiresAt <= now;
}

/** A session of a pasted token. The claims only label it: the service checks the token, not this page. */
export function sessionOfToken(token: string): Session {
  const claims = readClaims(token);
  const name = claims.email ?? claims.username ?? claims['cognito:username'] ?? claims.sub;
  const expiry = claims.exp;
  return {
    token,
    name: typeof name === 'string' ? name : 'Signed in',
    demoUser: false,
    expiresAt: typeof expiry === 'number' ? expiry * 1000 : null,
  };
}

/** The claims of a JSON web token, unchecked; none if it is not one. */
export function readClaims(token: string): Record<string, unknown> {
  try {
    const payload = token.split('.')[1] ?? '';
    const bytes = Uint8Array.from(atob(payload.replace(/-/g, '+').replace(/_/g, '/')), (c) =>
      c.charCodeAt(0),
    );
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === 'object' && claims !== null ? (claims as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
