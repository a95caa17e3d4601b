// What people and other services leave in the tables: names that nobody should give, columns without a value, packages without a file.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { checkAccessibility, checkFits, dataset, filePath, folderPath, stack, withPage } from './browser.mjs';
import { addFile, addFolder, addPackage, numberOf, schema, skip } from './seed.mjs';

const options = { skip };
const NAMES = [
  '<img src=x onerror=alert(1)>.csv',
  '"quoted" & <b>bold</b>',
  'evil\u202Egnp.exe',
  'בדיקה.txt',
  'x'.repeat(255),
  '100%2F..%2Fetc%00.csv',
  `it's "both" \`and\` $(more) \\.txt`,
  '🧠 слайс 12 👩‍🔬.json',
  '../../up.csv',
  '  spaces  ',
];
const row = (page, name) => page.getByRole('row').filter({ hasText: name });
const heading = (page) => page.getByRole('heading', { level: 1 });
const pageOf = (page, id) => page.goto(new URL(filePath(id), page.url()).href);
let folder;

before(() => {
  if (!skip) folder = addFolder(`odd ${process.pid}`);
});

/** As the page shows it: what cannot be seen is named. */
const shown = (name) => name.replace('\u202E', 'U+202E');

test('names are text, whatever is in them', options, async () => {
  const inner = addFolder(`<script>alert(1)</script> & 'folder' %2F`, folder);
  const files = [];
  for (const name of NAMES) files.push(await addFile({ name, parent: inner, bytes: 'a,b\n1,2\n' }));
  await withPage({ user: 'viewer', path: folderPath(inner) }, async (page) => {
    await row(page, NAMES[0]).waitFor();
    assert.equal(await page.locator('.tree-row').count(), NAMES.length);
    await checkAccessibility(page, 'names');
    const text = await page.evaluate(() => document.querySelector('main').textContent);
    for (const name of NAMES) assert.ok(text.includes(shown(name)), name);
    assert.ok(!text.includes('\u202E'));
    await checkFits(page, 'names');
    await page.setViewportSize({ width: 360, height: 740 });
    await checkFits(page, 'names on a phone');
    for (const [index, id] of files.entries()) {
      await pageOf(page, id);
      await page.getByRole('timer', { name: 'Time left' }).waitFor();
      assert.equal((await heading(page).textContent()).trim(), shown(NAMES[index]).trim());
      assert.equal(await page.locator('main img, main b:text-is("bold"), main script').count(), 0);
      assert.ok(!(await page.title()).includes('\u202E'));
      await checkFits(page, NAMES[index]);
      const shift = await page.evaluate(() => window.recorded.shift);
      assert.ok(shift < 0.05, `${NAMES[index]} moves the layout by ${shift}`);
    }
  });
});

test('a file with such a name is downloaded, and copied for a shell', options, async () => {
  const name = NAMES[6];
  const id = await addFile({ name, parent: folder, bytes: 'text' });
  await withPage({ user: 'viewer', path: filePath(id) }, async (page) => {
    await heading(page).getByText(name).waitFor();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download', exact: true }).click(),
    ]);
    // The service replaces what file systems do not take.
    assert.equal(download.suggestedFilename().length, name.length);
    assert.match(download.suggestedFilename(), /^it's .both. .and. .*\.txt$/);
  });
});

/** All that may be empty; but for where a file is, which it takes to read it. */
const COLUMNS = {
  packages: ['size', 'owner_id', 'attributes', 'created_at', 'updated_at'],
  files: [
    'name',
    'file_type',
    'size',
    'checksum',
    'uploaded_state',
    'properties',
    'created_at',
    'updated_at',
  ],
};

/** Statements that empty columns of a package, or of its file. A trigger would set times at an update. */
function emptyColumns(table, columns) {
  const values = columns.map((column) => `${column} = NULL`);
  const key = table === 'files' ? 'package_id' : 'id';
  return (id) => `SET LOCAL session_replication_role = replica;
    UPDATE ${schema}.${table} SET ${values} WHERE ${key} = ${numberOf(id)};`;
}

test('a page needs no column that may be empty', options, async () => {
  const files = [];
  for (const [table, columns] of Object.entries(COLUMNS)) {
    // The size alone, too: without it there is more to ask for.
    for (const empty of [columns, ['size']]) {
      const name = `${table} without ${empty.length} columns.csv`;
      const file = { name, parent: folder, bytes: 'a,b\n1,2\n' };
      files.push({ name, id: await addFile(file, emptyColumns(table, empty)) });
    }
  }
  await withPage({ user: 'viewer', path: folderPath(folder) }, async (page) => {
    for (const { name } of files) await row(page, name).waitFor();
    for (const { name, id } of files) {
      await pageOf(page, id);
      await page.getByText('1 row, 2 columns').waitFor();
      assert.equal(await heading(page).textContent(), name);
      assert.doesNotMatch(await page.locator('main').innerText(), /\b(null|undefined|NaN|Invalid Date)\b/);
    }
  });
});

test('a package without a file, or without the place of one, says so', options, async () => {
  const without = addPackage({ name: 'no file.csv', parent: folder });
  const change = (values) => (id) =>
    `UPDATE ${schema}.files SET ${values} WHERE package_id = ${numberOf(id)};`;
  const unplaced = await addFile(
    { name: 'no place.csv', parent: folder, bytes: 'a\n' },
    change('s3_bucket = NULL, s3_key = NULL'),
  );
  const lost = await addFile(
    { name: 'lost.csv', parent: folder, bytes: 'a\n' },
    change("s3_key = s3_key || 'x'"),
  );
  await withPage({ user: 'viewer', path: folderPath(folder), allowed: /404|500/ }, async (page) => {
    await row(page, 'no file.csv').waitFor();
    for (const [id, text] of [
      [without, /This package has no file/],
      [unplaced, /the package has no stored file/],
      [lost, /The file is not in storage/],
    ]) {
      await pageOf(page, id);
      await page.getByRole('alert').getByText(text).first().waitFor();
    }
  });
});

test('states in which a package cannot be read', options, async () => {
  const make = (state) => addFile({ name: `${state}.csv`, state, parent: folder, bytes: 'a\n1\n' });
  const states = {
    INFECTED: /scan/i,
    ERROR: /Its state is “Failed”/,
    DELETED: /trash/i,
    RESTORING: /trash|restor/i,
    UNAVAILABLE: /trash|upload/i,
  };
  await withPage({ user: 'viewer', allowed: /40[349]/ }, async (page) => {
    for (const [state, text] of Object.entries(states)) {
      await pageOf(page, await make(state));
      await page.getByRole('alert').getByText(text).first().waitFor();
    }
    await page.goto(new URL(folderPath(folder), page.url()).href);
    await checkAccessibility(page, 'states');
    await row(page, 'INFECTED.csv').getByText('Unsafe').waitFor();
    await row(page, 'ERROR.csv').getByText('Failed').waitFor();
    for (const state of ['DELETED', 'RESTORING', 'UNAVAILABLE'])
      assert.equal(await row(page, `${state}.csv`).count(), 0);
  });
});

test('an archived object: what to do, and no second link', options, async () => {
  const id = await addFile({ name: 'archived.csv', parent: folder, bytes: 'a\n1\n' });
  await withPage({ user: 'viewer', allowed: /403/ }, async (page) => {
    // The stack's S3 has no classes: the answer is Amazon's.
    const body = `<?xml version="1.0" encoding="UTF-8"?>
      <Error><Code>InvalidObjectState</Code><Message>The operation is not valid for the object's storage class</Message></Error>`;
    const headers = { 'access-control-allow-origin': '*', 'content-type': 'application/xml' };
    await page.route(`${new URL(stack.s3.endpoint).origin}/**`, (route) =>
      route.fulfill({ status: 403, headers, body }),
    );
    let links = 0;
    page.on('request', (request) => (links += request.url().includes('/presign/s3') ? 1 : 0));
    await pageOf(page, id);
    await page
      .getByRole('alert')
      .getByText(/The file is archived/)
      .waitFor();
    await page
      .getByRole('alert')
      .getByText(/restore the object in S3/)
      .waitFor();
    assert.equal(links, 1);
    assert.ok(page.url().includes(dataset));
  });
});
