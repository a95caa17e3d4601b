import { expect, it } from 'vitest';
import { authorizeUrl, challengeOf, logoutUrl } from './login';

// RFC 7636, appendix B.
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

it('makes the challenge of the RFC', async () => {
  expect(await challengeOf(VERIFIER)).toBe(CHALLENGE);
});

const login = {
  authorize_url: 'https://login.example.org/oauth2/authorize?lang=en',
  token_url: 'https://login.example.org/oauth2/token',
  logout_url: 'https://login.example.org/logout',
  client_id: 'abc',
  scopes: ['openid', 'email'],
};

it('asks for a code, without the verifier', async () => {
  const pending = { state: 's', verifier: VERIFIER, from: '/' };
  const url = new URL(await authorizeUrl(login, pending, 'https://data.example.org/login'));
  expect(Object.fromEntries(url.searchParams)).toEqual({
    lang: 'en',
    response_type: 'code',
    client_id: 'abc',
    redirect_uri: 'https://data.example.org/login',
    scope: 'openid email',
    state: 's',
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
  });
  expect(url.href).not.toContain(VERIFIER);
});

it('leaves the pool for the console, by an address that the pool knows', () => {
  const url = new URL(logoutUrl(login, 'https://data.example.org'));
  expect(url.origin + url.pathname).toBe('https://login.example.org/logout');
  expect(Object.fromEntries(url.searchParams)).toEqual({
    client_id: 'abc',
    logout_uri: 'https://data.example.org/',
  });
});
