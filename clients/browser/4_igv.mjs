// igv.js in Chromium, over each way: the reads of the second of two BAM files.
// needs: genomes/1_upload.py

import { loadExample } from "../lib/chromium.mjs";
import { assert, check, finish, packageId, presign, presignUrl, sign } from "../lib/stack.mjs";
import { start } from "./_setup.mjs";

const tools = await start();
const reference = { id: "demo", fastaURL: await sign("first.bam", "reference.fa"), indexed: false };
const reads = "(await browser.findTracks('name', 'reads')[0].getFeatures('chr2', 5_000, 20_000)).allAlignments().length";
const { run: readPresign } = await loadExample(tools, "igv", "presign", ["PACKAGE", "INDEX", "reference"], reads);
const { run: readLinks } = await loadExample(tools, "igv", "links", ["url", "indexURL", "reference"], reads);
const [bam, bai] = ["second.bam", "second.bam.bai"];

await check("igv.js: presign with names", { api: 4, s3: 5, preflight: 2 }, async () => {
  const count = await readPresign({ PACKAGE: packageId(bam), INDEX: packageId(bai), reference });
  assert(count === 80, `${count} reads`);
});
const ways = {
  // Two requests to the API make the links.
  link: { link: async (name) => (await presign(name)).presigned_url, expected: { api: 2, s3: 5, edge: 1 } },
  proxy: { link: async (name) => (await presign(name)).proxy_url, expected: { api: 6, s3: 5, edge: 1 } },
  CDN: { link: (name) => sign("first.bam", name), expected: { api: 2, s3: 0, edge: 6 } },
};
for (const [way, { link, expected }] of Object.entries(ways)) {
  await check(`igv.js: ${way}`, { ...expected, preflight: 0 }, async () => {
    const count = await readLinks({ url: await link(bam), indexURL: await link(bai), reference });
    assert(count === 80, `${count} reads`);
  });
}
await tools.browser.close();
finish();
