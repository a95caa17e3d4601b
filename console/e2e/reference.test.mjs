import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessibility, checkFits, dataset, origin, withPage } from './browser.mjs';

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
