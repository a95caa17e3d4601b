import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessibility, checkFits, dataset, withPage } from './browser.mjs';

test('operators see requests, refusals and times, and the doctor', () =>
  withPage({ user: 'viewer', path: `/dataset/${dataset}` }, async (page) => {
    await page.getByRole('link', { name: 'Operations' }).click();
    const requests = page.locator('.figure').filter({ hasText: 'Requests' });
    await requests.getByText('a second').waitFor();
    assert.match(await requests.innerText(), /[1-9]/);
    await page.getByRole('row').filter({ hasText: '/children' }).waitFor();
    await page.getByText('The queue is empty.').waitFor();
    await page.getByRole('button', { name: 'Check everything' }).click();
    await page.getByText(/\d+ ok/).waitFor({ timeout: 30_000 });
    await checkAccessibility(page, 'operations');
    await page.setViewportSize({ width: 360, height: 740 });
    await checkFits(page, 'operations');
  }));
