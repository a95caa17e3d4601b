// `serve --console`: people log in at the pages of the user pool.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessibility } from './browser.mjs';
import { deepLink, readStorage, recordings, tokenChoice, viewer, visit } from './serve.mjs';

const toPool = (page) => page.getByRole('button', { name: 'Log in with your account' }).click();

/** On the pool's page. */
async function logIn(page, { password }) {
  await page.getByLabel('Account').selectOption(viewer.email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

test('people log in at the user pool, are where they began, and log out there', () =>
  visit({ path: deepLink }, async (page, serve) => {
    const { pool } = serve;
    pool.requests = [];
    await toPool(page);
    await logIn(page, pool);
    await recordings(page).waitFor();
    assert.equal(page.url(), serve.origin + deepLink);
    await page.getByRole('button', { name: `Signed in as ${viewer.email}` }).waitFor();
    const { tab, browser } = await readStorage(page);
    assert.doesNotMatch(tab, /verifier|refresh/);
    assert.doesNotMatch(browser, /eyJ/);
    checkExchange(pool.requests);

    // "Back" leads through the pool's page, which sends people on with an answer to a login that is over.
    await page.goBack();
    await page.getByRole('heading', { name: 'Datasets' }).waitFor();

    await page.getByRole('button', { name: /^Signed in as/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.waitForURL(`${serve.origin}/`);
    await tokenChoice(page).waitFor();
    assert.equal(pool.requests.at(-1).pathname, '/logout');
    await toPool(page);
    await page.getByLabel('Password').waitFor();
    for (const secret of ['code=', 'code_verifier', 'eyJ']) assert.ok(!serve.log.includes(secret), secret);
  }));

/** The pool got what the protocol has, and nothing else: no address of the console, no cookie, no verifier before its time. */
function checkExchange(requests) {
  const authorize = requests.find(({ pathname }) => pathname === '/oauth2/authorize');
  const names = 'client_id code_challenge code_challenge_method redirect_uri response_type scope state';
  assert.deepEqual([...authorize.query.keys()].sort(), names.split(' '));
  const exchanges = requests.filter(({ pathname }) => pathname === '/oauth2/token');
  assert.equal(exchanges.length, 1);
  for (const { headers, query } of [authorize, ...exchanges]) {
    assert.deepEqual([headers.referer, headers.authorization], [undefined, undefined]);
    assert.equal(query.get('code_verifier'), null);
  }
  assert.equal(exchanges[0].headers.cookie, undefined);
}

test('an answer that is not to this login, or says no, has a message and a way on', () =>
  visit({ path: deepLink, allowed: /status of [45]00/ }, async (page, serve) => {
    const { pool } = serve;
    const title = (text) => page.getByRole('heading', { name: text });
    for (const forged of ['code=x&state=y', 'error=access_denied&error_description=Call+us&state=y']) {
      await page.goto(`${serve.origin}/login?${forged}`);
      await title('This login was not begun in this tab').waitFor();
      assert.equal(page.url(), `${serve.origin}/login`);
      assert.equal(await page.getByText('Call us').count(), 0);
    }
    await page.goto(serve.origin + deepLink);
    await toPool(page);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await title('You were not logged in').waitFor();
    await page.getByText('The user pool says: User cancelled the login.').waitFor();
    await checkAccessibility(page, 'refused login');
    await page.getByRole('link', { name: 'Back' }).click();
    await page.waitForURL(serve.origin + deepLink);

    pool.codesAreUsed = true;
    await toPool(page);
    await logIn(page, pool);
    await title('This login is over').waitFor();
    pool.codesAreUsed = false;
    pool.isDown = true;
    await page.getByRole('button', { name: 'Log in again' }).click();
    await title('The user pool failed').waitFor();
    pool.isDown = false;
    // The pool remembers who logged in.
    await page.getByRole('button', { name: 'Log in again' }).click();
    await recordings(page).waitFor();
    assert.equal(page.url(), serve.origin + deepLink);
  }));

test('the pages may call the token endpoint of the pool, and nothing else there', () =>
  visit({ allowed: /Content Security Policy|status of 400|Fetch API cannot load/ }, async (page, serve) => {
    const { pool, origin } = serve;
    pool.requests = [];
    await page.evaluate(async (pool) => {
      const call = (path) => fetch(pool + path, { method: 'POST' }).catch(() => {});
      const show = (path) => {
        const image = new Image();
        image.src = pool + path;
        return image.decode().catch(() => {});
      };
      await Promise.all([call('/oauth2/userInfo'), call('/oauth2/revoke'), call('/'), show('/logo.png')]);
      await call('/oauth2/token');
      window.recorded.violations = [];
    }, pool.origin);
    assert.deepEqual(
      pool.requests.map(({ pathname }) => pathname),
      ['/oauth2/token'],
    );
    const policy = (await fetch(origin)).headers.get('content-security-policy');
    assert.deepEqual(
      policy.split('; ').filter((directive) => directive.includes(pool.origin)),
      policy.split('; ').filter((directive) => directive.startsWith('connect-src')),
    );
  }));
