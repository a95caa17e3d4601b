import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessibility, checkFits, eventually, filePath, settled, stack, withPage } from './browser.mjs';

const { demo } = stack;
const s3 = `${new URL(stack.s3.endpoint).origin}/**`;
const cdn = `${new URL(stack.edge).origin}/**`;

const panel = (page) => page.getByRole('complementary', { name: 'The link' });
const cell = (page, text) => page.getByRole('gridcell', { name: text, exact: true }).first();
const traffic = (page) => page.getByRole('region', { name: 'What was read' });

/** What the page says about its requests as soon as it matches a pattern, if it stays so. */
async function settledTraffic(page, pattern) {
  const read = () => traffic(page).innerText();
  await eventually(read, (text) => pattern.test(text));
  const text = await settled(read);
  assert.match(text, pattern);
  return text;
}

test('a table of Parquet: the rows in sight by ranges, a histogram of a column', () =>
  withPage({ user: 'viewer', path: filePath(demo.spikes) }, async (page) => {
    await cell(page, '231.855').waitFor();
    const first = await settledTraffic(page, /3 requests: API 1, CDN 2/);
    const kilobytes = Number(/([\d.]+) kB\n/.exec(first)[1]);
    assert.ok(kilobytes < 150, first);
    await checkAccessibility(page, 'Parquet');
    await page.getByRole('grid').focus();
    await page.keyboard.press('Control+End');
    await page.getByText('Row 100000').waitFor();
    await page.getByRole('rowheader', { name: '100,000', exact: true }).waitFor();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Enter');
    await page.getByRole('img', { name: /Histogram of amplitude_uv: 100000 values/ }).waitFor();
    await page.getByRole('button', { name: 'In order' }).click();
    await page.getByRole('img', { name: /Line of amplitude_uv/ }).waitFor();
    await page.getByRole('button', { name: 'Schema' }).click();
    await page.getByRole('region', { name: 'Schema' }).getByText('TIMESTAMP(MICROS)').waitFor();
    await checkAccessibility(page, 'a column of Parquet');
  }));

test('the same table by the other links', () =>
  withPage({ user: 'viewer', path: filePath(demo.spikes) }, async (page) => {
    await cell(page, '231.855').waitFor();
    for (const [name, servers] of [
      ['S3', /API 1, S3 2/],
      ['Proxy', /API 3, S3 2/],
    ]) {
      await panel(page).getByRole('button', { name, exact: true }).click();
      await cell(page, '231.855').waitFor();
      await settledTraffic(page, servers);
    }
  }));

test('a table of CSV, and the values of a column', () =>
  withPage({ user: 'viewer', path: filePath(demo.table) }, async (page) => {
    await cell(page, '126.6').waitFor();
    await page.getByText('500 rows, 9 columns, separated by commas').waitFor();
    await page.getByRole('columnheader', { name: 'cell_type' }).click();
    await page.getByText('500 values, 2 different').waitFor();
    await checkAccessibility(page, 'CSV');
  }));

test('a pyramid: the chunks in sight under one link, by mouse and keyboard', () =>
  withPage({ user: 'viewer', path: filePath(demo.pyramid) }, async (page) => {
    const stage = page.getByRole('application');
    await stage.waitFor();
    await page.getByText(/Level \d of 3/).waitFor();
    const lit = () => page.evaluate(countLit);
    await eventually(lit, (count) => count > 1000);
    await settledTraffic(page, /API 1, CDN \d+/);
    await stage.focus();
    await page.keyboard.press('-');
    await page.keyboard.press('-');
    await page.keyboard.press('-');
    await page.keyboard.press('-');
    await page.getByText(/Level [23] of 3/).waitFor();
    const before = await settled(lit);
    await page.getByRole('checkbox', { name: 'Biocytin (neurons)' }).uncheck();
    await eventually(lit, (count) => count < before);
    await checkAccessibility(page, 'pyramid');
  }));

/** In the page: how many pixels of the canvas are not nearly black. */
function countLit() {
  const canvas = document.querySelector('.stage canvas');
  // A copy: Chromium warns of a canvas that is drawn and read in turns.
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', {
    willReadFrequently: true,
  });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  let lit = 0;
  for (let at = 0; at < data.length; at += 4) if (data[at] + data[at + 1] + data[at + 2] > 90) lit += 1;
  return lit;
}

test('a picture, JSON, and a file that no viewer knows', () =>
  withPage({ user: 'viewer', path: filePath(demo.image) }, async (page) => {
    await page.locator('.stage img').waitFor();
    await page.getByText('480 × 320 px').waitFor();
    await checkAccessibility(page, 'picture');
    await page.goto(new URL(filePath(demo.recording_about), page.url()).href);
    await page.getByText('sampling_frequency_hz').waitFor();
    await checkAccessibility(page, 'JSON');
    await page.goto(new URL(filePath(demo.recording), page.url()).href);
    await page.getByRole('button', { name: 'Look at its first bytes' }).click();
    await page.getByText(/^000000 {2}/).waitFor();
    await checkAccessibility(page, 'no viewer');
  }));

test('a file is downloaded under its own name', () =>
  withPage({ user: 'viewer', path: filePath(demo.table) }, async (page) => {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download', exact: true }).click(),
    ]);
    assert.equal(download.suggestedFilename(), 'units.csv');
  }));

test('a link that ends while one looks is replaced, and nothing is lost', () =>
  withPage({ user: 'viewer', path: filePath(demo.spikes), allowed: /403/ }, async (page) => {
    await cell(page, '231.855').waitFor();
    let refused = 0;
    await page.route(cdn, (route) => {
      refused += 1;
      return refused > 1
        ? route.continue()
        : route.fulfill({ status: 403, headers: { 'access-control-allow-origin': '*' }, body: '<Error/>' });
    });
    await page.getByRole('grid').focus();
    await page.keyboard.press('Control+End');
    await page
      .getByRole('gridcell', { name: /^\d+\.\d+$/ })
      .first()
      .waitFor();
    await panel(page)
      .getByText(/Renewed 1 time, last at .*it was refused/)
      .waitFor();
  }));

test('a role that has ended is told, while the link still works', () =>
  withPage({ user: 'viewer', path: filePath(demo.table), allowed: /403/ }, async (page) => {
    await cell(page, '126.6').waitFor();
    await page.route('**/packages/presign/s3*', (route) =>
      route.fulfill({
        status: 403,
        contentType: 'application/problem+json',
        body: '{"title":"You may not do this"}',
      }),
    );
    await panel(page).getByRole('button', { name: 'Make a new link now' }).click();
    await panel(page).getByText('No new link: You may not do this. This one still works.').waitFor();
    await panel(page).getByText('No new one is made by itself.').waitFor();
  }));

test('while storage fails the page says so, and there is a way on', () =>
  withPage({ user: 'viewer', path: '/', allowed: /503/ }, async (page) => {
    await page.route(s3, (route) =>
      route.fulfill({
        status: 503,
        headers: { 'access-control-allow-origin': '*', 'retry-after': '0' },
        body: '',
      }),
    );
    await page.goto(new URL(filePath(demo.table), page.url()).href);
    await page
      .getByRole('alert')
      .getByText(/Storage is busy/)
      .waitFor();
    await checkAccessibility(page, 'storage fails');
    await page.unroute(s3);
    await page.getByRole('button', { name: 'Try again' }).first().click();
    await cell(page, '126.6').waitFor();
  }));

test('while storage is slow the page says so', () =>
  withPage({ user: 'viewer', path: '/' }, async (page) => {
    let goOn = () => undefined;
    const held = new Promise((resolve) => (goOn = resolve));
    await page.route(s3, (route) => held.then(() => route.continue()));
    await page.goto(new URL(filePath(demo.table), page.url()).href);
    await panel(page).getByText('storage is slow').waitFor();
    goOn();
    await cell(page, '126.6').waitFor();
  }));

test('on a phone the viewers and the link fit', () =>
  withPage({ user: 'viewer', path: filePath(demo.spikes), width: 360, height: 740 }, async (page) => {
    await cell(page, '377').waitFor();
    await checkFits(page, 'Parquet');
    for (const [id, sign] of [
      [demo.pyramid, page.getByText(/Level \d of 3/)],
      [demo.image, page.getByText('480 × 320 px')],
    ]) {
      await page.goto(new URL(filePath(id), page.url()).href);
      await sign.waitFor();
      await checkFits(page, 'viewer');
      await checkAccessibility(page, 'a viewer on a phone');
    }
  }));
