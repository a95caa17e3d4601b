import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessibility, checkFits, stack, trashPath, withPage } from './browser.mjs';

const { demo } = stack;
const row = (page, name) => page.getByRole('row').filter({ hasText: name });

test('viewers see what is in the trash and how long, and restore nothing', () =>
  withPage({ user: 'viewer', path: trashPath }, async (page) => {
    await row(page, 'protocol.md').getByText('Yes, no end set').waitFor();
    assert.match(await row(page, 'README.md').innerText(), /top of the dataset/);
    await page.getByRole('button', { name: 'Open notebook' }).click();
    await row(page, 'week 1').waitFor();
    assert.ok(await page.getByRole('button', { name: 'Restore…' }).isDisabled());
    await checkAccessibility(page, 'trash');
  }));

test('an editor selects by the keyboard, sees what would happen, and cancels', () =>
  withPage({ user: 'editor', path: trashPath, width: 360, height: 740 }, async (page) => {
    await row(page, 'protocol.md').waitFor();
    await checkFits(page, 'trash');
    await page.getByRole('treegrid').focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('Space');
    await page.keyboard.press('Shift+ArrowDown');
    await page.getByText('2 packages selected').waitFor();
    await page.keyboard.press('Control+a');
    await page.getByText('3 packages selected').waitFor();
    await page.getByRole('button', { name: 'Restore…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Before you restore' });
    await dialog.getByText('README-restored_1.md').waitFor();
    await checkFits(page, 'preview');
    await checkAccessibility(page, 'preview');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    assert.equal(await page.locator('.tree-selected').count(), 3);
  }));

test('an editor restores a folder, watches it come back, and follows the link to it', () =>
  withPage({ user: 'editor', path: trashPath }, async (page) => {
    await row(page, 'notebook').waitFor();
    for (const name of ['notebook', 'README.md'])
      await page.getByRole('checkbox', { name: `Select ${name}` }).check();
    await page.getByRole('button', { name: 'Restore…' }).click();
    await page.getByRole('button', { name: /^Restore \d+ packages$/ }).click();
    const panel = page.getByRole('region', { name: /Restor/ });
    await panel.getByText('Where it is now').waitFor({ timeout: 20_000 });
    const told = await panel.innerText();
    assert.match(told, /57 of 57/);
    assert.match(told, /README\.md\s*README-restored_1\.md/);
    await checkAccessibility(page, 'restored');
    assert.equal(await row(page, 'notebook').count(), 0);
    // The progress has an address of its own.
    assert.ok(page.url().includes(encodeURIComponent(demo.trashed_folder)));
    await page.reload();
    await panel.getByText('Where it is now').waitFor();
    await panel.getByRole('link', { name: 'notebook' }).click();
    await row(page, 'week 1').waitFor();
    await page.goto(page.url().replace(/\/folder.*/, ''));
    await row(page, 'README-restored_1.md').waitFor();
  }));
