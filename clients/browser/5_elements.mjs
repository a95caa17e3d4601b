// What Chromium itself loads: <video>, <img>, <a>, and `fetch` with its cache.
// needs: images/1_upload.py
// needs: downloads/1_upload.py

import { readFileSync } from "node:fs";

import { loadExample } from "../lib/chromium.mjs";
import { assert, check, finish, packageId, presign, presignUrl } from "../lib/stack.mjs";
import { findWays, requests, start } from "./_setup.mjs";

const NAME = "Übersicht (final), v2.h5";
const tools = await start();
const { browser } = tools;

const { run: seek } = await loadExample(tools, "video", "link", ["url"], "{ time: video.currentTime, width: video.videoWidth }");
const clip = await findWays("clip", "clip.webm");
for (const way of ["link", "proxy", "CDN"]) {
  // Chromium remembers where the redirect led: one request to the API, however often it seeks.
  await check(`<video>: ${way}, two times in a minute`, { api: way === "proxy" ? 1 : 0, preflight: 0 }, async () => {
    const { time, width } = await seek({ url: clip[way] });
    assert(time === 25 && width === 320, `${time} s, ${width} wide`);
  });
}
await check("<video>: presign is 401, it sends no token", { api: 1, s3: 0 }, async () => {
  const failed = await seek({ url: clip.presign }).then(() => false, () => true);
  assert(failed, "it was played");
});

const show = async (url) =>
  browser.evaluate(async (url) => {
    const image = new Image();
    image.src = url;
    await image.decode();
    return image.naturalWidth;
  }, url);
for (const [way, url] of Object.entries(await findWays("image", "preview/thumbnail.png"))) {
  if (way === "presign") continue;
  await check(`<img>: ${way}`, requests(way, 1, 1), async () => {
    assert((await show(url)) > 0, "the image is empty");
  });
}

await check("<img>: presign is 401, it sends no token", { api: 1, s3: 0 }, async () => {
  const failed = await show(presignUrl("image")).then(() => false, () => true);
  assert(failed, "it was shown");
});

const { runIn } = await loadExample(tools, "elements", "download", ["url"], "undefined");
await check("<a>: a click on a link saves the file under the package's name", { api: 1, s3: 1 }, async () => {
  const link = await presign("report");
  await browser.withPage(async (page) => {
    const clicked = runIn(page, { url: link.presigned_url });
    const [download] = await Promise.all([page.waitForEvent("download"), clicked]);
    assert(download.suggestedFilename() === NAME, download.suggestedFilename());
    assert(readFileSync(await download.path()).length === link.size, "bytes are missing");
  });
});

const { run: fetchThrice } = await loadExample(tools, "fetch", "presign", ["PACKAGE"], "sizes");
// Links are the same text for five minutes. Not at the end of these.
const left = 300_000 - (Date.now() % 300_000);
if (left < 10_000) await new Promise((resolve) => setTimeout(resolve, left));
await check("fetch: presign three times is one download", { api: 3, s3: 1, preflight: 1, bytes: 5_120_008 }, async () => {
  const sizes = await fetchThrice({ PACKAGE: packageId("report") });
  assert(sizes.join() === "5120008,5120008,5120008", `sizes ${sizes}`);
});
await browser.close();
finish();
