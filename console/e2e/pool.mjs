// A user pool of Amazon Cognito on a socket: the keys that it publishes, its hosted pages and its token endpoint, as the Amazon Cognito
// Developer Guide has them ("Authorize endpoint", "Login endpoint", "Token endpoint", "Logout endpoint"; PKCE is RFC 7636).
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { createServer } from 'node:http';

const KEY_ID = 'browser-tests';
/** In milliseconds. */
const CODE_LIFETIME = 300_000;
const PASSWORD = 'correct horse';

export class UserPool {
  /** What came in: method, path, query, headers. */
  requests = [];
  /** As `describe-user-pool-client` has it. */
  client = null;
  /** Somebody else has used each code before it arrives. */
  codesAreUsed = false;
  /** The token endpoint answers with 500. */
  isDown = false;
  #codes = new Map();
  #logins = new Map();
  #key = generateKeyPairSync('rsa', { modulusLength: 2048 });

  /** `people` have `email` and `cognito_id`, and all the same password. */
  constructor({ id, clientId, people }) {
    Object.assign(this, { id, clientId, people, password: PASSWORD });
    const region = id.split('_')[0];
    this.issuer = `https://cognito-idp.${region}.amazonaws.com/${id}`;
  }

  async start() {
    this.server = createServer((request, response) => void this.#respond(request, response));
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    const { port } = this.server.address();
    /** Where the service reads the keys. */
    this.endpoint = `http://127.0.0.1:${port}`;
    /** Where browsers go: another site than the service, with cookies of its own. */
    this.origin = `http://localhost:${port}`;
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }

  /** An access token as Cognito signs them: it has no e-mail address. */
  accessToken(person, { lifetime = 3600, key = this.#key, ...others } = {}) {
    const now = Math.floor(Date.now() / 1000);
    return signToken(key, {
      ...{ sub: person.cognito_id, iss: this.issuer, version: 2, client_id: this.clientId },
      ...{ origin_jti: randomUUID(), event_id: randomUUID(), token_use: 'access', scope: 'openid' },
      ...{ auth_time: now, exp: now + lifetime, iat: now, jti: randomUUID(), username: person.cognito_id },
      ...others,
    });
  }

  idToken(person) {
    const now = Math.floor(Date.now() / 1000);
    return signToken(this.#key, {
      ...{ sub: person.cognito_id, iss: this.issuer, aud: this.clientId, token_use: 'id' },
      ...{ 'cognito:username': person.cognito_id, email: person.email, email_verified: true },
      ...{ auth_time: now, exp: now + 3600, iat: now, jti: randomUUID() },
    });
  }

  async #respond(request, response) {
    const { pathname, searchParams: query } = new URL(request.url, this.origin);
    const { method, headers } = request;
    this.requests.push({ method, pathname, query, headers });
    const form = method === 'POST' ? new URLSearchParams(await readBody(request)) : null;
    const routes = {
      [`GET /${this.id}/.well-known/jwks.json`]: () => sendJson(response, 200, this.#keys()),
      'GET /oauth2/authorize': () => this.#authorize(query, response),
      'GET /login': () => this.#login(query, request, response),
      'POST /login': () => this.#checkPassword(query, form, response),
      'POST /oauth2/token': () => this.#exchange(headers, form, response),
      'GET /logout': () => this.#logout(query, request, response),
    };
    (routes[`${method} ${pathname}`] ?? (() => sendPage(response, 404, 'Not found')))();
  }

  #keys() {
    const jwk = this.#key.publicKey.export({ format: 'jwk' });
    return { keys: [{ ...jwk, kid: KEY_ID, alg: 'RS256', use: 'sig' }] };
  }

  /** What is wrong with the client or the callback is said here; other errors go back to the callback, which is known then. */
  #authorize(query, response) {
    const { client } = this;
    if (query.get('client_id') !== this.clientId || !client.AllowedOAuthFlowsUserPoolClient)
      return sendPage(response, 400, 'Invalid client');
    if (!client.CallbackURLs.includes(query.get('redirect_uri')))
      return sendPage(response, 400, 'redirect_mismatch');
    const error = this.#faultOf(query);
    if (error) return redirect(response, callback(query, { error, error_description: error }));
    redirect(response, `/login?${query}`);
  }

  #faultOf(query) {
    const { client } = this;
    if (query.get('response_type') !== 'code' || !client.AllowedOAuthFlows.includes('code'))
      return 'unauthorized_client';
    const scopes = query.get('scope').split(' ');
    if (!scopes.every((scope) => client.AllowedOAuthScopes.includes(scope))) return 'invalid_scope';
    const challenge = query.get('code_challenge');
    if (query.get('code_challenge_method') !== 'S256' || !/^[\w-]{43}$/.test(challenge))
      return 'invalid_request';
    return null;
  }

  /** Whoever logged in before, in this browser, goes on without a form. */
  #login(query, request, response, problem = '') {
    const person = this.#logins.get(cookieOf(request));
    if (person) return redirect(response, this.#answer(query, person));
    const people = this.people.map(({ email }) => `<option>${email}</option>`).join('');
    sendPage(
      response,
      200,
      `<form method="post" action="/login?${String(query).replaceAll('&', '&amp;')}">
         <p role="alert">${problem}</p>
         <label>Account <select name="username">${people}</select></label>
         <label>Password <input type="password" name="password"></label>
         <button name="choice" value="login">Sign in</button> <button name="choice" value="deny">Cancel</button>
       </form>`,
    );
  }

  #checkPassword(query, form, response) {
    if (form.get('choice') === 'deny') {
      const error = { error: 'access_denied', error_description: 'User cancelled the login' };
      return redirect(response, callback(query, error));
    }
    const person = this.people.find(({ email }) => email === form.get('username'));
    if (!person || form.get('password') !== PASSWORD)
      return this.#login(query, { headers: {} }, response, 'Incorrect username or password.');
    const login = randomUUID();
    this.#logins.set(login, person);
    response.setHeader('set-cookie', `cognito=${login}; Path=/; HttpOnly; SameSite=Lax`);
    redirect(response, this.#answer(query, person));
  }

  #answer(query, person) {
    const code = randomUUID();
    const issued = {
      ...{ person, redirectUri: query.get('redirect_uri'), challenge: query.get('code_challenge') },
      expiresAt: Date.now() + CODE_LIFETIME,
    };
    if (!this.codesAreUsed) this.#codes.set(code, issued);
    return callback(query, { code });
  }

  #exchange(headers, form, response) {
    // Pages of all origins may read the answer.
    response.setHeader('access-control-allow-origin', '*');
    if (this.isDown) return sendPage(response, 500, 'Internal error');
    if (headers['content-type']?.split(';')[0] !== 'application/x-www-form-urlencoded')
      return sendJson(response, 400, { error: 'invalid_request' });
    // A public client has no secret to send.
    if (form.get('client_id') !== this.clientId || headers.authorization)
      return sendJson(response, 400, { error: 'invalid_client' });
    if (form.get('grant_type') !== 'authorization_code')
      return sendJson(response, 400, { error: 'unsupported_grant_type' });
    const issued = this.#codes.get(form.get('code'));
    // A code counts once, whatever comes of it.
    this.#codes.delete(form.get('code'));
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const isValid =
      issued?.challenge === challenge &&
      issued.redirectUri === form.get('redirect_uri') &&
      issued.expiresAt > Date.now();
    if (!isValid) return sendJson(response, 400, { error: 'invalid_grant' });
    sendJson(response, 200, {
      ...{ access_token: this.accessToken(issued.person), id_token: this.idToken(issued.person) },
      ...{ refresh_token: randomUUID(), token_type: 'Bearer', expires_in: 3600 },
    });
  }

  #logout(query, request, response) {
    const to = query.get('logout_uri');
    if (query.get('client_id') !== this.clientId || !this.client.LogoutURLs.includes(to))
      return sendPage(response, 400, 'Invalid logout_uri');
    this.#logins.delete(cookieOf(request));
    response.setHeader('set-cookie', 'cognito=; Path=/; Max-Age=0');
    redirect(response, to);
  }
}

/** A key that the pool does not publish. */
export const strangeKey = () => generateKeyPairSync('rsa', { modulusLength: 2048 });

function signToken({ privateKey }, claims) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${encode({ kid: KEY_ID, alg: 'RS256' })}.${encode(claims)}`;
  return `${text}.${sign('RSA-SHA256', Buffer.from(text), privateKey).toString('base64url')}`;
}

function callback(query, answer) {
  const url = new URL(query.get('redirect_uri'));
  const state = query.get('state');
  for (const [name, value] of Object.entries({ ...answer, ...(state && { state }) }))
    url.searchParams.set(name, value);
  return url.href;
}

const cookieOf = ({ headers }) => headers.cookie?.match(/cognito=([\w-]+)/)?.[1];

async function readBody(request) {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}

function redirect(response, location) {
  response.writeHead(302, { location }).end();
}

function sendJson(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(value));
}

function sendPage(response, status, text) {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  response.end(
    `<!doctype html><html lang="en"><title>User pool</title><link rel="icon" href="data:,">${text}`,
  );
}
