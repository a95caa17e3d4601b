// A folder with 10,000 files, or as many as LARGE says.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { folderPath, withPage } from './browser.mjs';
import { addFolder, numberOf, runSql, schema, skip } from './seed.mjs';

const COUNT = Number(process.env.LARGE ?? 10_000);
const nameOf = (number) => `trial ${String(number).padStart(6, '0')}.csv`;
const row = (page, name) => page.getByRole('row').filter({ hasText: name });
let folder;

before(() => {
  if (skip) return;
  folder = addFolder(`${COUNT} trials ${process.pid}`);
  runSql(`INSERT INTO ${schema}.packages (name, type, state, node_id, dataset_id, owner_id, parent_id)
    SELECT 'trial ' || lpad(i::text, 6, '0') || '.csv', 'Tabular', 'READY', 'N:package:' || gen_random_uuid(),
      p.dataset_id, p.owner_id, p.id
    FROM ${schema}.packages p, generate_series(1, ${COUNT}) i WHERE p.id = ${numberOf(folder)};
    ANALYZE ${schema}.packages;`);
});

/** Of the page, after a collection, in MB. */
async function heapOf(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  return (await session.send('Runtime.getHeapUsage')).usedSize / 1e6;
}

test(`a folder of ${COUNT} is there at once, and goes to its end`, { skip }, (t) =>
  withPage({ user: 'viewer', path: folderPath(folder) }, async (page) => {
    await row(page, nameOf(1)).waitFor();
    const shown = await page.evaluate(() => performance.now());
    const drawn = await page.locator('.tree-row').count();
    assert.ok(drawn < 100, `${drawn} rows are drawn`);
    await page.getByRole('treegrid').focus();
    const begun = Date.now();
    await page.keyboard.press('End');
    await row(page, nameOf(COUNT)).waitFor({ timeout: 120_000 });
    const end = Date.now() - begun;
    await page
      .getByText(`${COUNT.toLocaleString('en-US')} entries`, { exact: true })
      .waitFor({ timeout: 120_000 });
    const whole = Date.now() - begun;
    // What came between moved nothing.
    assert.ok(await row(page, nameOf(COUNT)).isVisible());
    assert.match(await page.locator('.tree-active').innerText(), new RegExp(nameOf(COUNT)));
    const heap = await heapOf(page);
    const rows = await page.locator('.tree-row').count();
    t.diagnostic(
      `first rows ${Math.round(shown)} ms after navigation; the end after ${end} ms, all after ${whole} ms; heap ${Math.round(heap)} MB; ${rows} rows in the page`,
    );
    assert.ok(rows < 100);
    assert.ok(heap < 150);
    await page.keyboard.type('trial 0050');
    assert.match(await page.locator('.tree-active').innerText(), /trial 005000/);
  }),
);
