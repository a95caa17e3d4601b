// hyparquet in Chromium, over each way.
// needs: tables/1_upload.py

import { loadExample } from "../lib/chromium.mjs";
import { assert, check, finish, packageId } from "../lib/stack.mjs";
import { findWays, requests, start } from "./_setup.mjs";

const tools = await start();
const ways = await findWays("rows", "rows.parquet");
const { run: readPresign } = await loadExample(tools, "hyparquet", "presign", ["PACKAGE"], "rows.length");
const { run: readLink } = await loadExample(tools, "hyparquet", "link", ["url"], "rows.length");

await check("hyparquet: presign, 10,000 rows of 400,000", { ...requests("presign", 3, 3), preflight: 1 }, async () => {
  assert((await readPresign({ PACKAGE: packageId("rows") })) === 10_000, "rows are missing");
});
// HEAD on a link is 403. Then a range of one byte tells the size.
for (const [way, files] of Object.entries({ link: 4, proxy: 3, CDN: 3 })) {
  await check(`hyparquet: ${way}, 10,000 rows of 400,000`, { ...requests(way, 3, files), preflight: 0 }, async () => {
    assert((await readLink({ url: ways[way] })) === 10_000, "rows are missing");
  });
}
await tools.browser.close();
finish();
