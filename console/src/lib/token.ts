export type Claims = Record<string, unknown>;

/** The claims of a JSON web token, unchecked; none if it is not one. */
export function readClaims(token: string): Claims {
  try {
    const payload = token.split('.')[1] ?? '';
    const bytes = Uint8Array.from(atob(payload.replace(/-/g, '+').replace(/_/g, '/')), (c) =>
      c.charCodeAt(0),
    );
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === 'object' && claims !== null ? (claims as Claims) : {};
  } catch {
    return {};
  }
}

/** The first of these claims that is a text, and not empty. */
export function textClaim(claims: Claims, ...names: string[]): string | null {
  const found = names.map((name) => claims[name]).find((value) => typeof value === 'string' && value !== '');
  return (found as string | undefined) ?? null;
}

/** A token as people copy it: with a header's name before it, in quotes, or broken into lines by a terminal. */
export function cleanToken(pasted: string): string {
  return pasted
    .replace(/\s+/g, ' ')
    .replace(/^[\s"']*(authorization\s*:)?[\s"']*(bearer\s)?/i, '')
    .replace(/[\s"',;]/g, '');
}

/** Why this cannot be an access token that works now, in a sentence; null if it may be one. */
export function faultOfToken(token: string, now = Date.now()): string | null {
  if (token === '') return 'Paste a token first.';
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token))
    return 'This is not an access token, which has three parts with dots between them.';
  const { token_use: use, exp } = readClaims(token);
  if (use === 'id') return 'This is an ID token. Paste the access token that came with it.';
  if (typeof exp === 'number' && exp * 1000 <= now) return 'This token has expired. Paste a new one.';
  return null;
}
