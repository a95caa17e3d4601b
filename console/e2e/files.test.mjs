import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessibility, checkFits, dataset, filePath, folderPath, stack, withPage } from './browser.mjs';

const { demo } = stack;
const table = (page) => page.getByRole('treegrid', { name: 'Files' });
const row = (page, name) => page.getByRole('row').filter({ hasText: name });

test('a newcomer chooses a user, and is at the files in two clicks', () =>
  withPage({}, async (page) => {
    await page.getByRole('heading', { name: 'Who do you want to be?' }).waitFor();
    await checkAccessibility(page, 'sign-in');
    await page.getByRole('button', { name: 'viewer@example.org' }).click();
    const link = page.locator('.dataset-item').first();
    await link.waitFor();
    await checkAccessibility(page, 'datasets');
    assert.match(await link.innerText(), /viewer/);
    await link.click();
    await row(page, 'recordings').waitFor();
    await checkAccessibility(page, 'files');
    assert.ok(page.url().endsWith(`/dataset/${dataset}`));
    assert.equal(await page.evaluate(() => location.href.includes('eyJ') || document.cookie), '');
  }));

test('the keyboard goes through folders, and back shows where one was', () =>
  withPage({ user: 'viewer', path: `/dataset/${dataset}` }, async (page) => {
    await row(page, 'recordings').waitFor();
    await table(page).focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.type('rec');
    const active = () => page.locator('.tree-active').innerText();
    assert.match(await active(), /recordings/);
    await page.keyboard.press('ArrowRight');
    await row(page, 'units.csv').waitFor();
    await page.keyboard.press('ArrowRight');
    assert.equal(await page.locator('.tree-active').getAttribute('aria-level'), '2');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    assert.equal(await row(page, 'units.csv').count(), 0);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'recordings' }).waitFor();
    await table(page).focus();
    await page.keyboard.press('Backspace');
    await row(page, 'imaging').waitFor();
    assert.match(await active(), /recordings/);
    await page.goBack();
    await page.getByRole('heading', { name: 'recordings' }).waitFor();
    await page.goBack();
    await row(page, 'imaging').waitFor();
  }));

test('the order can be turned, and is in the address', () =>
  withPage({ user: 'viewer', path: folderPath(demo.recordings) }, async (page) => {
    const names = async () => {
      await row(page, 'units.csv').waitFor();
      return page.locator('.tree-row .name').allInnerTexts();
    };
    const ascending = await names();
    await page.getByRole('button', { name: 'Name' }).click();
    await page.locator('[aria-sort=descending]').waitFor();
    assert.deepEqual(await names(), ascending.toReversed());
    await page.reload();
    assert.deepEqual(await names(), ascending.toReversed());
  }));

test('a link to a file shows it, with the way to its folder', () =>
  withPage({ user: 'viewer', path: filePath(demo.table) }, async (page) => {
    await page.getByRole('heading', { level: 1, name: 'units.csv' }).waitFor();
    const facts = await page.locator('.facts').innerText();
    assert.match(facts, /Ready/);
    assert.match(await page.title(), /units\.csv/);
    await page.getByRole('navigation', { name: 'Path' }).getByRole('link', { name: 'recordings' }).click();
    await row(page, 'spikes.parquet').waitFor();
    // As programs write it that encode all they can.
    await page.goto(new URL(filePath(demo.table).replaceAll(':', '%3A'), page.url()).href);
    await page.getByRole('heading', { level: 1, name: 'units.csv' }).waitFor();
  }));

test('what is not there, and what one may not see, says what to do', () =>
  withPage({ user: 'guest', path: `/dataset/${dataset}`, allowed: /40[34]/ }, async (page) => {
    await page.getByText('which sees no files').waitFor();
    await page.getByRole('alert').getByText('You may not do this').waitFor();
    await checkAccessibility(page, 'refused');
    await page.goto(new URL('/no/such/page', page.url()).href);
    await page.getByRole('heading', { name: 'Nothing is here' }).waitFor();
    await checkAccessibility(page, 'not found');
    await page.getByRole('link', { name: 'To the datasets', exact: true }).click();
    await page.locator('.dataset-item').first().waitFor();
  }));

test('a file that is gone leads to the trash', () =>
  withPage(
    { user: 'viewer', path: filePath('N:package:00000000-0000-0000-0000-000000000000'), allowed: /404/ },
    async (page) => {
      await page.getByRole('link', { name: 'Look in the trash' }).click();
      await page
        .getByRole('treegrid', { name: 'Trash' })
        .or(page.getByText('The trash is empty'))
        .first()
        .waitFor();
    },
  ));

test('while the service cannot be reached there is a way on', () =>
  withPage({ user: 'viewer', path: '/', allowed: /ERR_FAILED/ }, async (page) => {
    await page.route('**/packages/children*', (route) => route.abort());
    await page.locator('.dataset-item').first().click();
    await page.getByText('The service cannot be reached').waitFor();
    await page.unroute('**/packages/children*');
    await page.getByRole('button', { name: 'Try again' }).click();
    await row(page, 'recordings').waitFor();
  }));

test('a token that has ended leads to the sign-in, and from there back', () =>
  withPage({ user: 'viewer', path: '/', allowed: /401/ }, async (page) => {
    await page.evaluate(() => {
      const key = 'packages-service.session';
      const session = JSON.parse(sessionStorage.getItem(key));
      sessionStorage.setItem(key, JSON.stringify({ ...session, token: `${session.token}x` }));
    });
    await page.goto(new URL(`/dataset/${dataset}`, page.url()).href);
    await page.getByText('Your session has ended').waitFor();
    await page.getByRole('button', { name: 'viewer@example.org' }).click();
    await row(page, 'recordings').waitFor();
  }));

test('on a phone everything fits, and colours can be chosen by the keyboard', () =>
  withPage({ user: 'viewer', path: `/dataset/${dataset}`, width: 360, height: 740 }, async (page) => {
    await row(page, 'recordings').waitFor();
    await checkFits(page, 'files');
    await checkAccessibility(page, 'files on a phone');
    await page.getByRole('button', { name: 'Colours' }).focus();
    await page.keyboard.press('Enter');
    await page.locator('[role=menuitemradio]:focus').waitFor();
    await page.keyboard.press('End');
    await page
      .locator('[role=menuitemradio]:last-child:focus, li:last-child [role=menuitemradio]:focus')
      .waitFor();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.documentElement.dataset.theme === 'dark');
    await page.goto(new URL('/', page.url()).href);
    await page.locator('.dataset-item').first().waitFor();
    await checkFits(page, 'datasets');
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
  }));
