// What the programs read with zarrita. It runs in Node and in pages, so it knows nothing of the stack.

import * as zarr from "zarrita";

/** A store over one link for a directory: it copies the query of its URL to each object. */
export const openDirectory = (link) => new zarr.FetchStore(link.signed_url);

/** A store that has each object's link signed by the API. */
export function openLinkPerObject({ signUrl, token }) {
  const sign = async (path) => {
    const response = await fetch(signUrl + encodeURIComponent(path), { headers: { Authorization: `Bearer ${token}` } });
    if (!response.ok) throw new Error(`signing is ${response.status}`);
    return (await response.json()).signed_url;
  };
  // The host is never asked: it only carries the paths to `fetch`.
  return new zarr.FetchStore("http://unused.invalid/", {
    fetch: async (request) => fetch(new Request(await sign(new URL(request.url).pathname.slice(1)), request)),
  });
}

/** A store that asks the API for each object and follows its redirect. */
export function openPresign({ presignUrl, token }) {
  return new zarr.FetchStore("http://unused.invalid/", {
    fetch: async (request) => {
      const path = encodeURIComponent(new URL(request.url).pathname.slice(1));
      const headers = new Headers(request.headers);
      headers.set("Authorization", `Bearer ${token}`);
      return fetch(presignUrl + path, { headers, method: request.method });
    },
  });
}

async function readArray(store, path, selection = null) {
  const location = zarr.root(store).resolve(path);
  return zarr.get(await zarr.open(location, { kind: "array" }), selection);
}

const sum = (data) => data.reduce((total, value) => (total + value) % 0x1_0000_0000, 0);

/** Reads level 0 of the demo's pyramid, 2 × 512², in 32 chunks. Returns its sum. */
export async function readLevel(store, prefix = "") {
  const { data, shape } = await readArray(store, `${prefix}0`);
  if (shape.join() !== "2,512,512" || !data.some((value) => value > 0)) throw new Error(`wrong shape ${shape}`);
  return sum(data);
}

/** Reads a plane of 1024² in one shard of 256 chunks, or its corner of 128². */
export async function readSharded(store, side, prefix = "") {
  const { data } = await readArray(store, prefix, [zarr.slice(side), zarr.slice(side)]);
  const wrong = data.findIndex((value, at) => value !== ((Math.floor(at / side) * 7 + (at % side) * 13) & 0xffff));
  if (wrong >= 0 || data.length !== side * side) throw new Error(`pixel ${wrong} is wrong`);
}

/** Reads a plane of 256² in four chunks, of which two are missing: their pixels are 9. */
export async function readSparse(store, prefix = "") {
  const { data } = await readArray(store, prefix);
  const pixel = (row, column) => {
    const isMissing = row < 128 !== column < 128;
    return isMissing ? 9 : (((row % 128) * 7 + (column % 128) * 13) & 0xffff);
  };
  const wrong = data.findIndex((value, at) => value !== pixel(Math.floor(at / 256), at % 256));
  if (wrong >= 0) throw new Error(`pixel ${wrong} is wrong`);
}
