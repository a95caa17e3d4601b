// zarrita in Node: one link for a directory, a link per object, and the API itself.
// needs: zarr-python/1_upload.py

import { TOKEN, apiUrl, assert, check, finish, packageId, signDirectory } from "../lib/stack.mjs";
import * as read from "./_read.mjs";

const query = { package_id: packageId("pyramid") };
const perObject = { signUrl: `${apiUrl("/cloudfront/sign", query)}&path=`, token: TOKEN };
const presign = { presignUrl: `${apiUrl("/presign/s3", query)}&path=`, token: TOKEN };
const open = async (path) => read.openDirectory(await signDirectory("pyramid", path));

const sums = [];
// zarr.json, which is missing, .zattrs, .zarray, and 32 chunks.
await check("zarrita in Node: level 0, one link", { api: 1, edge: 34, s3: 0 }, async () => {
  sums.push(await read.readLevel(await open("image.ome.zarr/")));
});
await check("zarrita in Node: level 0, a link per object", { api: 34, edge: 34, s3: 0 }, async () => {
  sums.push(await read.readLevel(read.openLinkPerObject(perObject), "image.ome.zarr/"));
});
await check("zarrita in Node: level 0, presign", { api: 34, s3: 34, edge: 0 }, async () => {
  sums.push(await read.readLevel(read.openPresign(presign), "image.ome.zarr/"));
});
assert(new Set(sums).size === 1, `sums ${sums}`);

await check("zarrita in Node: sharded, all of 1024², one link", { api: 1, edge: 261, s3: 0 }, async () => {
  await read.readSharded(await open("sharded.zarr/"), 1024);
});
await check("zarrita in Node: sharded, all of 1024², presign", { api: 261, s3: 261, edge: 0 }, async () => {
  await read.readSharded(read.openPresign(presign), 1024, "sharded.zarr");
});
await check("zarrita in Node: sharded, 128², one link", { api: 1, edge: 9, s3: 0 }, async () => {
  await read.readSharded(await open("sharded.zarr/"), 128);
});
await check("zarrita in Node: missing chunks, one link", { api: 1, edge: 7, s3: 0 }, async () => {
  await read.readSparse(await open("sparse.zarr/"));
});
await check("zarrita in Node: a name with parentheses, one link", { api: 1, edge: 7, s3: 0 }, async () => {
  await read.readSparse(await open("scan (1), é.zarr/"));
});
await check("zarrita in Node: missing chunks, presign", { api: 7, s3: 7, edge: 0 }, async () => {
  await read.readSparse(read.openPresign(presign), "sparse.zarr");
});
finish();
