// `serve --console`: operators give their token.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessibility, checkFits } from './browser.mjs';
import { REFUSED, readStorage, viewer, visit } from './serve.mjs';

test('operators give their token once in each tab', () =>
  visit({ path: '/operations', allowed: REFUSED }, async (page, serve) => {
    const { operatorToken, origin } = serve;
    const field = page.getByLabel("Operators' token");
    const give = async (token) => {
      await field.fill(token);
      await page.keyboard.press('Enter');
    };
    await give('');
    await page.getByText('Type or paste the token first.').waitFor();
    for (const wrong of [operatorToken.slice(1), serve.pool.accessToken(viewer), 'ключ']) {
      await give(wrong);
      await page.getByText("This is not the operators' token.").waitFor();
      assert.equal((await readStorage(page)).tab, '{}');
    }
    await checkAccessibility(page, "operators' token");
    await page.setViewportSize({ width: 360, height: 740 });
    await checkFits(page, "operators' token");
    await page.setViewportSize({ width: 1280, height: 800 });
    await give(operatorToken);
    const plots = page.locator('.figure').filter({ hasText: 'Requests' }).locator('svg');
    await plots.waitFor();
    await checkAccessibility(page, 'operations');
    await page.reload();
    await plots.waitFor();
    const { tab, browser } = await readStorage(page);
    assert.ok(tab.includes(operatorToken) && !browser.includes(operatorToken));
    const other = await page.context().newPage();
    await other.goto(`${origin}/operations`);
    await other.getByLabel("Operators' token").waitFor();
    await other.close();
    await page.getByRole('button', { name: 'Forget the token' }).click();
    await field.waitFor();
    assert.equal((await readStorage(page)).tab, '{}');
    assert.ok(!serve.log.includes(operatorToken) && !page.url().includes(operatorToken));
  }));
