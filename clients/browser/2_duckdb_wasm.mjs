// DuckDB-WASM in Chromium: 1.28 reads Parquet, 1.32 a database, over each way that works without a header.
// needs: tables/1_upload.py

import { loadExample } from "../lib/chromium.mjs";
import { assert, check, finish } from "../lib/stack.mjs";
import { findWays, start } from "./_setup.mjs";

const SIZE = 14_000_000;
const rows = await findWays("rows", "rows.parquet");
const database = await findWays("database", "rows.duckdb");

/** Starts Chromium with one version, and an example that counts rows by a URL. */
async function prepare(version, example) {
  const files = { duckdb: `${import.meta.dirname}/node_modules/duckdb-wasm-${version}/dist` };
  const tools = await start({ files, alias: { "@duckdb/duckdb-wasm": `duckdb-wasm-${version}` } });
  const at = `http://localhost:${tools.browser.port}/duckdb`;
  const code = { WASM: `${at}/duckdb-eh.wasm`, WORKER: `${at}/duckdb-browser-eh.worker.js` };
  const names = ["url", "filesystem", ...Object.keys(code)];
  const { run } = await loadExample(tools, "duckdb-wasm", example, names, "Number(rows.toArray()[0].count)");
  const count = async (url, filesystem) => {
    const counted = await run({ url, filesystem, ...code });
    assert(counted === 10_000, `${counted} rows`);
  };
  return { count, close: () => tools.browser.close() };
}

const old = await prepare("1.28", "parquet");
for (const way of ["proxy", "CDN"]) {
  await check(`DuckDB-WASM 1.28: Parquet, ${way}, 10,000 rows of 400,000`, { bytes: [100_000, 500_000] }, async () => {
    await old.count(rows[way]);
  });
}
await check("DuckDB-WASM 1.28: Parquet, link, reads the whole file", { api: 0, bytes: [SIZE, 4 * SIZE] }, async () => {
  await old.count(rows.link);
});
await old.close();

// Parquet is an extension in 1.32, which DuckDB gets from its own host. So it is not read here.
const recent = await prepare("1.32", "database");
for (const way of ["proxy", "CDN"]) {
  await check(`DuckDB-WASM 1.32: a database, ${way}, 10,000 rows of 400,000`, { bytes: [500_000, 1_500_000] }, async () => {
    await recent.count(database[way], { forceFullHTTPReads: false });
  });
  const without = `DuckDB-WASM 1.32: the same without forceFullHTTPReads: false reads the whole file, ${way}`;
  await check(without, { bytes: [SIZE, 4 * SIZE] }, async () => {
    await recent.count(database[way], {});
  });
}
await check("DuckDB-WASM 1.32: a database, link, reads the whole file", { api: 0, bytes: [SIZE, 4 * SIZE] }, async () => {
  await recent.count(database.link, { forceFullHTTPReads: false });
});
await recent.close();
finish();
