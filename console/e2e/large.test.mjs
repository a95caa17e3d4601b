// A folder with 10,000 files, or as many as LARGE says, and names that people should not give. psql puts both into the database.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { dataset, folderPath, stack, withPage } from './browser.mjs';

const COUNT = Number(process.env.LARGE ?? 10_000);
const folder = `N:collection:${randomUUID()}`;
const hostile = `N:collection:${randomUUID()}`;
const NAMES = [
  '<img src=x onerror=alert(1)>.csv',
  '"quoted" & <b>bold</b>',
  'evil\u202Egnp.exe',
  'בדיקה.txt',
  'x'.repeat(255),
];

const program = findProgram();
const schema = `"${stack.demo.workspace_id}"`;
const row = (page, name) => page.getByRole('row').filter({ hasText: name });

function findProgram() {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).map((version) => `${debian}/${version}/bin`) : [];
  const folders = [process.env.PG_BIN_DIR, ...(process.env.PATH ?? '').split(':'), ...versions].filter(
    Boolean,
  );
  return folders.map((path) => `${path}/psql`).find((path) => existsSync(path));
}

function literal(text) {
  return `'${text.replaceAll("'", "''")}'`;
}

function fill() {
  const place = `(SELECT dataset_id, owner_id FROM ${schema}.packages WHERE node_id = ${literal(stack.demo.recordings)})`;
  const add = (values) =>
    `INSERT INTO ${schema}.packages (name, type, state, node_id, dataset_id, owner_id, parent_id) ${values};`;
  const collection = (id, name) =>
    add(
      `SELECT ${literal(name)}, 'Collection', 'READY', '${id}', dataset_id, owner_id, NULL FROM ${place} p`,
    );
  const inside = (id, names) =>
    add(`SELECT name, 'Tabular', 'READY', 'N:package:' || gen_random_uuid(), dataset_id, owner_id,
      (SELECT id FROM ${schema}.packages WHERE node_id = '${id}') FROM ${place} p, ${names}`);
  const values = NAMES.map((name) => `(${literal(name)})`).join();
  const statements = [
    collection(folder, `${COUNT} trials ${folder.slice(-12)}`),
    inside(
      folder,
      `(SELECT 'trial ' || lpad(i::text, 6, '0') || '.csv' AS name FROM generate_series(1, ${COUNT}) i) n`,
    ),
    collection(hostile, `odd names ${hostile.slice(-12)}`),
    inside(hostile, `(VALUES ${values}) n (name)`),
    `ANALYZE ${schema}.packages;`,
  ];
  // By the environment: a command that fails is logged with its arguments.
  const { hostname, port, username, password, pathname } = new URL(stack.database_url);
  const address = {
    PGHOST: hostname,
    PGPORT: port,
    PGUSER: username,
    PGPASSWORD: decodeURIComponent(password),
  };
  const env = { ...process.env, ...address, PGDATABASE: pathname.slice(1) };
  execFileSync(program, ['-v', 'ON_ERROR_STOP=1', '-q'], { env, input: statements.join('\n') });
}

test(`a folder of ${COUNT}`, { skip: !program && 'psql is not installed' }, async (t) => {
  fill();
  await t.test('is there at once, and goes to its end', () =>
    withPage({ user: 'viewer', path: folderPath(folder) }, async (page) => {
      await row(page, 'trial 000001.csv').waitFor();
      const shown = await page.evaluate(() => performance.now());
      const drawn = await page.locator('.tree-row').count();
      assert.ok(drawn < 100, `${drawn} rows are drawn`);
      await page.getByRole('treegrid').focus();
      const begun = Date.now();
      await page.keyboard.press('End');
      await row(page, `trial ${String(COUNT).padStart(6, '0')}.csv`).waitFor({ timeout: 120_000 });
      const seconds = (Date.now() - begun) / 1000;
      await page.getByText(`${COUNT.toLocaleString('en-US')} entries`, { exact: true }).waitFor();
      const session = await page.context().newCDPSession(page);
      await session.send('HeapProfiler.collectGarbage');
      const { usedSize } = await session.send('Runtime.getHeapUsage');
      t.diagnostic(
        `first rows ${Math.round(shown)} ms after navigation; the end after ${seconds} s; heap ${Math.round(usedSize / 1e6)} MB`,
      );
      assert.ok((await page.locator('.tree-row').count()) < 100);
      assert.ok(usedSize < 150e6);
      await page.keyboard.type('trial 0050');
      assert.match(await page.locator('.tree-active').innerText(), /trial 005000/);
    }),
  );
  await t.test('names are text, whatever is in them', () =>
    // These files are in the database only: there is no link to them.
    withPage({ user: 'viewer', path: folderPath(hostile), allowed: /404/ }, async (page) => {
      await row(page, NAMES[0]).waitFor();
      assert.equal(await page.locator('main img, main b').count(), 0);
      await row(page, 'U+202E').waitFor();
      assert.ok(
        (await page.evaluate(() => document.querySelector('main').textContent)).includes('\u202E') === false,
      );
      await row(page, NAMES[0]).getByRole('link').click();
      await page.getByRole('heading', { level: 1, name: NAMES[0] }).waitFor();
      assert.equal(await page.locator('main img').count(), 0);
      assert.ok(page.url().includes(dataset));
    }),
  );
});
