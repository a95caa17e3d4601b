import { expect, it } from 'vitest';
import { cleanToken, faultOfToken, readClaims, textClaim } from './token';

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const tokenOf = (claims: unknown) => `${encode({ alg: 'RS256' })}.${encode(claims)}.c2lnbmF0dXJl`;
const TOKEN = tokenOf({ token_use: 'access', exp: 2000 });

it.each([
  TOKEN,
  `  ${TOKEN}\n`,
  `Bearer ${TOKEN}`,
  `authorization: bearer ${TOKEN}`,
  `Authorization:Bearer\t${TOKEN}`,
  `"${TOKEN}",`,
  `'Authorization: Bearer ${TOKEN}'`,
  `${TOKEN.slice(0, 20)}\r\n  ${TOKEN.slice(20)}`,
])('finds the token in what was pasted: %j', (pasted) => {
  expect(cleanToken(pasted)).toBe(TOKEN);
});

it('keeps a token that begins like the name of the scheme', () => {
  expect(cleanToken('bearerABC.DEF.GHI')).toBe('bearerABC.DEF.GHI');
});

it('says what is wrong with a token', () => {
  expect(faultOfToken(TOKEN, 1_999_999)).toBeNull();
  expect(faultOfToken(TOKEN, 2_000_000)).toMatch(/expired/);
  expect(faultOfToken(tokenOf({ token_use: 'id', exp: 2000 }), 0)).toMatch(/ID token/);
  expect(faultOfToken('')).toMatch(/Paste/);
  for (const garbage of ['x', 'a.b', 'a.b.c.d', 'a.b.', 'a b.c.d', 'ä.b.c', 'https://a.b.c'])
    expect(faultOfToken(garbage)).toMatch(/three parts/);
  // Without claims that can be read, the service decides.
  expect(faultOfToken('a.b.c')).toBeNull();
});

it('reads claims without checking them', () => {
  expect(textClaim(readClaims(tokenOf({ sub: 'Zoë', email: '' })), 'email', 'sub')).toBe('Zoë');
  expect(textClaim({ email: 3 }, 'email')).toBeNull();
  for (const other of ['', 'a', 'a.b.c', tokenOf(null), tokenOf('text')])
    expect(readClaims(other)).toEqual({});
});
