// What the programs of this group share.

import * as esbuild from "esbuild";
import { chromium } from "playwright-core";

import { startChromium } from "../lib/chromium.mjs";
import { presign, presignUrl, sign } from "../lib/stack.mjs";

const folder = import.meta.dirname;

export const start = async (options = {}) => {
  const browser = await startChromium(chromium, options.files);
  return { esbuild, browser, folder, alias: options.alias ?? {} };
};

/** The URLs of a file by each way. Only presign takes the token. */
export async function findWays(name, path) {
  const link = await presign(name);
  return { presign: presignUrl(name), link: link.presigned_url, proxy: link.proxy_url, CDN: await sign(name, path) };
}

/** Which requests a way takes: `api` at the API, `files` at S3 or the CDN. */
export const requests = (way, api, files) => ({
  api: way === "presign" || way === "proxy" ? api : 0,
  s3: way === "CDN" ? 0 : files,
  edge: way === "CDN" ? files : 0,
});
