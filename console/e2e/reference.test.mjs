import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessibility, checkFits, dataset, origin, withPage } from './browser.mjs';

/** All but the preflights. */
async function listOperations() {
  const { paths } = await (await fetch(`${origin}/console/openapi.json`)).json();
  return Object.values(paths).flatMap((methods) =>
    Object.entries(methods)
      .filter(([method]) => method !== 'options')
      .map(([method, { operationId }]) => ({ method, id: operationId })),
  );
}

test('the reference has every operation, and tries them as the chosen user', () =>
  withPage({ user: 'viewer', path: '/docs', allowed: /Failed to load resource/ }, async (page) => {
    await page
      .locator('#getHealth')
      .getByRole('button', { name: /^Try it/ })
      .waitFor();
    const { paths } = await (await fetch(`${origin}/console/openapi.json`)).json();
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, { operationId }] of Object.entries(methods)) {
        if (method === 'options') continue;
        const article = page.locator(`#${operationId}`);
        assert.match(await article.locator('h3').textContent(), new RegExp(method, 'i'), path);
        assert.match(await article.locator('.operation-code pre').first().textContent(), /^curl /);
      }
    }
    assert.equal(
      await page.evaluate(() => document.body.textContent.includes('eyJ')),
      false,
      'the token is not on the page',
    );
    const trash = page.locator('#listTrash');
    await trash.getByRole('button', { name: /^Try/ }).click();
    assert.equal(await trash.getByLabel('dataset_id').inputValue(), dataset);
    await trash.getByRole('button', { name: 'Send as viewer' }).click();
    await trash.locator('.answer').getByText(/^200/).waitFor();
    const restore = page.locator('#restore');
    await restore.getByRole('button', { name: /^Try/ }).click();
    await restore.getByRole('button', { name: 'Send as viewer' }).click();
    await restore.locator('.answer').getByText(/^403/).waitFor();
    await checkAccessibility(page, 'reference');
    await page.setViewportSize({ width: 360, height: 740 });
    await checkFits(page, 'reference');
  }));

test('the reference needs no network but its own server, and none once it is there', () =>
  withPage({ path: '/' }, async (page) => {
    const strangers = [];
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== origin) strangers.push(request.url());
    });
    await page.goto(`${origin}/docs#listTrash`);
    await page.locator('#listTrash').waitFor();
    await page.evaluate(() => document.fonts.ready);
    const loaded = await page.evaluate(() => ({
      hosts: [...new Set(performance.getEntriesByType('resource').map(({ name }) => new URL(name).origin))],
      fonts: [...document.fonts].filter(({ status }) => status === 'error').length,
    }));
    assert.deepEqual({ ...loaded, strangers }, { hosts: [origin], fonts: 0, strangers: [] });
    await page.context().setOffline(true);
    await page
      .getByRole('navigation', { name: 'Operations' })
      .getByRole('link', { name: '/health' })
      .first()
      .click();
    const health = page.locator('#getHealth');
    await health.getByRole('button', { name: /^Try it/ }).click();
    await health.getByText('Response, for example').waitFor();
    await page.context().setOffline(false);
    assert.deepEqual(strangers, []);
  }));

test('what is filled in works at once: each operation that only reads', () =>
  withPage({ user: 'viewer', path: '/docs' }, async (page) => {
    await page.locator('#getHealth').waitFor();
    const answers = {};
    for (const { id, method } of await listOperations()) {
      if (method === 'post' && id === 'restore') continue;
      const article = page.locator(`#${id}`);
      await article.getByRole('button', { name: /^Try it/ }).click();
      const link = article.getByLabel('presigned_url');
      if (await link.count())
        await page.waitForFunction((input) => input.value !== '', await link.elementHandle());
      await article.getByRole('button', { name: 'Send as viewer' }).click();
      answers[id] = (await article.locator('.answer strong').textContent()).slice(0, 3);
    }
    const failed = Object.entries(answers).filter(([, status]) => !['200', '307'].includes(status));
    assert.deepEqual(failed, []);
    assert.ok(Object.keys(answers).length > 20, JSON.stringify(answers));
  }));
