// geotiff.js in Chromium, over each way.
// needs: images/1_upload.py

import { loadExample } from "../lib/chromium.mjs";
import { assert, check, finish, packageId } from "../lib/stack.mjs";
import { findWays, requests, start } from "./_setup.mjs";

const tools = await start();
const ways = await findWays("scan", "scan.tif");
const { run: readPresign } = await loadExample(tools, "geotiff", "presign", ["PACKAGE"], "pixels[0]");
const { run: readLink } = await loadExample(tools, "geotiff", "link", ["url"], "pixels[0]");
const first = 7 * 1024 + 13 * 512;

for (const [way, url] of Object.entries(ways)) {
  await check(`geotiff.js: ${way}, one of 64 tiles`, requests(way, 3, 3), async () => {
    const pixel = way === "presign" ? await readPresign({ PACKAGE: packageId("scan") }) : await readLink({ url });
    assert(pixel === first, `pixel ${pixel}`);
  });
}
await tools.browser.close();
finish();
