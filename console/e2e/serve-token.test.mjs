// `serve --console`: people paste a token.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessibility, checkFits, dataHosts, withPage } from './browser.mjs';
import { strangeKey } from './pool.mjs';
import {
  REFUSED,
  deepLink,
  pasteToken,
  readStorage,
  recordings,
  startServe,
  stopServe,
  tokenChoice,
  tokenField,
  viewer,
  visit,
} from './serve.mjs';

test('the sign-in says what is wrong with a token, and finds the one in what was copied', () =>
  visit({ allowed: REFUSED }, async (page, serve) => {
    const { pool } = serve;
    const strange = pool.accessToken(viewer, { key: strangeKey() });
    for (const [text, problem] of [
      ['', /Paste a token first/],
      ['not a token', /three parts/],
      [pool.idToken(viewer), /ID token/],
      [pool.accessToken(viewer, { lifetime: -1 }), /expired/],
      [pool.accessToken(viewer, { client_id: 'another' }), /not an access token of this platform/],
      [strange, /signature is invalid/],
    ]) {
      await pasteToken(page, text);
      await page.getByRole('alert').filter({ hasText: problem }).waitFor();
      assert.ok(await tokenField(page).evaluate((field) => field === document.activeElement));
    }
    await checkAccessibility(page, 'sign-in');
    const token = pool.accessToken(viewer);
    await pasteToken(page, ` Authorization: Bearer ${token.slice(0, 50)}\n${token.slice(50)}\n`);
    await page.getByRole('heading', { name: 'Datasets' }).waitFor();
    await page.getByRole('button', { name: `Signed in as ${viewer.cognito_id}` }).waitFor();
  }));

test('a pasted token stays in its tab, and is nowhere after the sign-out', () =>
  visit({ path: deepLink }, async (page, serve) => {
    const token = serve.pool.accessToken(viewer);
    const addresses = [];
    page.context().on('request', (request) => addresses.push(request.url()));
    await pasteToken(page, token);
    await recordings(page).waitFor();
    assert.equal(page.url(), serve.origin + deepLink);
    await page.reload();
    await recordings(page).waitFor();
    await page.getByRole('link', { name: 'API' }).click();
    await page.goBack();
    await recordings(page).waitFor();
    const { tab, browser } = await readStorage(page);
    assert.ok(tab.includes(token) && !browser.includes('eyJ'), browser);

    const other = await page.context().newPage();
    await other.goto(serve.origin + deepLink);
    await tokenChoice(other).waitFor();
    await other.close();

    await page.getByRole('button', { name: /^Signed in as/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await tokenChoice(page).waitFor();
    assert.equal(page.url(), `${serve.origin}/`);
    assert.deepEqual(await readStorage(page), { tab: '{}', browser: '{}0' });
    await page.goBack();
    await tokenChoice(page).waitFor();
    assert.equal(page.url(), serve.origin + deepLink);
    await page.reload();
    await tokenChoice(page).waitFor();
    for (const text of [addresses.join(), serve.log]) assert.ok(!text.includes('eyJ'), 'a token');
  }));

test('a session that ends is asked for again where it ended', () =>
  visit({ path: deepLink, allowed: REFUSED }, async (page, serve) => {
    await pasteToken(page, serve.pool.accessToken(viewer));
    await recordings(page).waitFor();
    // By the service's clock, which may be ahead of the browser's.
    await page.evaluate(
      (token) => {
        const [[key, value]] = Object.entries(sessionStorage);
        sessionStorage.setItem(key, JSON.stringify({ ...JSON.parse(value), token }));
      },
      serve.pool.accessToken(viewer, { lifetime: -1 }),
    );
    await page.reload();
    await page.getByText('Your session has ended: the bearer token has expired.').waitFor();
    await pasteToken(page, serve.pool.accessToken(viewer));
    await recordings(page).waitFor();
    // By the browser's.
    await page.clock.setSystemTime(Date.now() + 7_200_000);
    await page.reload();
    await page.getByText('Your session has ended. Sign in again').waitFor();
    assert.deepEqual((await readStorage(page)).tab, '{}');
  }));

test('the keyboard alone signs in and opens a dataset, on a small screen', () =>
  visit({ width: 360, height: 740 }, async (page, serve) => {
    const tabTo = async (target) => {
      await target.waitFor();
      const isThere = () => target.evaluate((element) => element === document.activeElement);
      for (let presses = 0; !(await isThere()); presses += 1) {
        assert.ok(presses < 20, 'the keyboard does not get there');
        await page.keyboard.press('Tab');
      }
    };
    await checkFits(page, 'sign-in');
    await tabTo(page.getByRole('button', { name: 'Log in with your account' }));
    await tabTo(page.locator('summary'));
    await page.keyboard.press('Space');
    await tabTo(tokenField(page));
    await checkFits(page, 'token');
    await page.keyboard.insertText(serve.pool.accessToken(viewer));
    await tabTo(page.getByRole('button', { name: 'Sign in' }));
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Datasets' }).waitFor();
    assert.ok(await page.locator('main').evaluate((main) => main === document.activeElement));
    await checkFits(page, 'datasets');
    await tabTo(page.getByRole('link', { name: /^Hippocampal slice 12/ }));
    await page.keyboard.press('Enter');
    await tabTo(page.getByRole('treegrid'));
    await page.keyboard.press('End');
  }));

test('without a login and operators, people paste a token, and the page for operators says what is missing', async () => {
  const bare = await startServe((name) => name === 'CONSOLE');
  try {
    await withPage({ site: { origin: bare.origin, hosts: dataHosts() } }, async (page) => {
      await tokenField(page).waitFor();
      assert.equal(await page.getByRole('link', { name: 'Operations' }).count(), 0);
      await checkAccessibility(page, 'sign-in by token');
      await page.goto(`${bare.origin}/login?code=x&state=y`);
      await tokenField(page).waitFor();
      assert.equal(page.url(), `${bare.origin}/`);
      await page.goto(`${bare.origin}/operations`);
      await page.getByText('Set CONSOLE_OPERATOR_TOKEN where the service runs').waitFor();
    });
  } finally {
    await stopServe(bare);
  }
});
