import { expect, it } from 'vitest';
import { authorizeUrl, challengeOf } from './login';

// RFC 7636, appendix B.
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

it('makes the challenge of the RFC', async () => {
  expect(await challengeOf(VERIFIER)).toBe(CHALLENGE);
});

it('asks for a code, without the verifier', async () => {
  const login = {
    authorize_url: 'https://login.example.org/oauth2/authorize?lang=en',
    token_url: 'https://login.example.org/oauth2/token',
    client_id: 'abc',
    scopes: ['openid', 'email'],
  };
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
