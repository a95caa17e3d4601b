// zarrita in a page in Chromium, whose origin is neither the API's nor the CDN's: with preflights, and with the browser's cache.
// needs: zarr-python/1_upload.py

import * as esbuild from "esbuild";
import { chromium } from "playwright-core";

import { bundle, loadExample, startChromium } from "../lib/chromium.mjs";
import { HEADERS, TOKEN, apiUrl, assert, check, finish, packageId, signDirectory } from "../lib/stack.mjs";

const browser = await startChromium(chromium);
const script = await bundle(esbuild, import.meta.dirname, "read", 'export * from "./_read.mjs";');
const inPage = (run, argument) => browser.evaluate(run, argument, [script]);

await check("zarrita in Chromium: the example", { api: 1, edge: 34, preflight: 1 }, async () => {
  const tools = { esbuild, browser, folder: import.meta.dirname };
  const { run } = await loadExample(tools, "zarrita", "directory", ["PACKAGE"], "shape");
  const shape = await run({ PACKAGE: packageId("pyramid") });
  assert(shape.join() === "2,512,512", `shape ${shape}`);
});

const query = { package_id: packageId("pyramid") };
const perObject = { signUrl: `${apiUrl("/cloudfront/sign", query)}&path=`, token: TOKEN };
const presign = { presignUrl: `${apiUrl("/presign/s3", query)}&path=`, token: TOKEN };

const sums = [];
await check("zarrita in Chromium: level 0, one link", { api: 1, edge: 34, s3: 0, preflight: 0 }, async () => {
  const link = await signDirectory("pyramid", "image.ome.zarr/");
  sums.push(await inPage((link) => read.readLevel(read.openDirectory(link)), link));
});
await check("zarrita in Chromium: level 0, a link per object", { api: 34, edge: 34, s3: 0, preflight: 34 }, async () => {
  const run = (options) => read.readLevel(read.openLinkPerObject(options), "image.ome.zarr/");
  sums.push(await inPage(run, perObject));
});
await check("zarrita in Chromium: level 0, presign", { api: 34, s3: 34, edge: 0, preflight: 34 }, async () => {
  sums.push(await inPage((options) => read.readLevel(read.openPresign(options), "image.ome.zarr/"), presign));
});
assert(new Set(sums).size === 1, `sums ${sums}`);

// The second time, all but the missing zarr.json comes from the browser's cache.
await check("zarrita in Chromium: level 0 twice, one link", { api: 1, edge: 35, s3: 0, preflight: 0 }, async () => {
  const link = await signDirectory("pyramid", "image.ome.zarr/");
  await inPage(async (link) => {
    await read.readLevel(read.openDirectory(link));
    await read.readLevel(read.openDirectory(link));
  }, link);
});
await check("zarrita in Chromium: sharded, all of 1024², one link", { api: 1, edge: 261, s3: 0, preflight: 0 }, async () => {
  const link = await signDirectory("pyramid", "sharded.zarr/");
  await inPage((link) => read.readSharded(read.openDirectory(link), 1024), link);
});
await check("zarrita in Chromium: sharded, all of 1024², presign", { api: 261, s3: 261, edge: 0 }, async () => {
  await inPage((options) => read.readSharded(read.openPresign(options), 1024, "sharded.zarr"), presign);
});
await check("zarrita in Chromium: missing chunks, one link", { api: 1, edge: 7, s3: 0, preflight: 0 }, async () => {
  const link = await signDirectory("pyramid", "sparse.zarr/");
  await inPage((link) => read.readSparse(read.openDirectory(link)), link);
});

// A page cannot have cookies set by a `fetch` to another origin. A request of the browser itself can.
await check("<img> in Chromium: cookies=set", { api: 1, edge: 1, s3: 0 }, async () => {
  const context = await browser.newContext();
  const url = apiUrl("/cloudfront/sign", { package_id: packageId("image"), path: "preview/", cookies: "set" });
  const answer = await (await context.request.get(url, { headers: HEADERS })).json();
  const tab = await context.newPage();
  await tab.goto(`http://127.0.0.1:${browser.port}/`);
  const width = await tab.evaluate(async (source) => {
    const image = new Image();
    image.src = source;
    await image.decode();
    return image.naturalWidth;
  }, answer.resource.replace("*", "thumbnail.png"));
  assert(width > 0, "the image is empty");
  await context.close();
});

await browser.close();
finish();
