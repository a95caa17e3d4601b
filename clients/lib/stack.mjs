// The local stack, for client programs: its files, links and users, and how many requests each of its servers got.

import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";

export const STACK = JSON.parse(readFileSync(process.env.STACK, "utf8"));
export const { api: API, edge: EDGE } = STACK;
export const DATASET = STACK.demo.dataset_node_id;
export const TOKEN = STACK.users.find((user) => user.role === "viewer").token;
export const HEADERS = { Authorization: `Bearer ${TOKEN}` };

const PORTS = { [new URL(EDGE).port]: "edge", [new URL(STACK.s3.endpoint).port]: "s3" };
const API_LINE = /method="([A-Z]+)" .*: api::request_log: request completed/;
const SERVER_LINE = /answered port=(\d+) method=([A-Z]+) status=(\d+)(?: bytes=(\d+))?/;

const failures = [];

/** The node id of a package of the demo, or of one that a program added. */
export const packageId = (name) =>
  STACK.demo[name] ?? JSON.parse(readFileSync(new URL("clients.json", `file://${process.env.STACK}`), "utf8"))[name];

/** A URL of the API, with the demo's dataset. */
export function apiUrl(path, query) {
  return `${API}${path}?${new URLSearchParams({ dataset_id: DATASET, ...query })}`;
}

/** The JSON answer of the API to the viewer. */
export async function getJson(path, query) {
  const response = await fetch(apiUrl(path, query), { headers: HEADERS });
  if (!response.ok) throw new Error(`${path} is ${response.status}`);
  return response.json();
}

/** A link to everything beneath a directory of a package's viewer assets. */
export const signDirectory = (name, path) => getJson("/cloudfront/sign", { package_id: packageId(name), path });

/** The JSON answer with a link to a package's file. */
export const presign = (name, query) =>
  getJson("/presign/s3", { package_id: packageId(name), redirect: "false", ...query });

/** The URL that answers with a redirect to a package's file. */
export const presignUrl = (name, segment = "") =>
  apiUrl(`/presign/s3${segment && `/${encodeURIComponent(segment)}`}`, { package_id: packageId(name) });

/** A link to a viewer asset at the CDN. */
export const sign = async (name, path) =>
  (await getJson("/cloudfront/sign", { package_id: packageId(name), path })).signed_url;

/** Counts requests by server, from this moment on. */
export function startCounting() {
  const log = openSync(process.env.STACK_LOG, "r");
  const start = fstatSync(log).size;
  return () => {
    // A server writes its line before it answers.
    const text = Buffer.alloc(fstatSync(log).size - start);
    readSync(log, text, 0, text.length, start);
    closeSync(log);
    return countRequests(text.toString());
  };
}

function countRequests(text) {
  const counts = { api: 0, edge: 0, s3: 0, preflight: 0, unchanged: 0, bytes: 0 };
  for (const line of text.split("\n")) {
    const api = API_LINE.exec(line);
    const server = SERVER_LINE.exec(line);
    if (api) counts[api[1] === "OPTIONS" ? "preflight" : "api"] += 1;
    // A cache asked whether what it has is still valid. Of a file that was just uploaded it does, and later not.
    if (server?.[3] === "304") counts.unchanged += 1;
    else if (server) counts[server[2] === "OPTIONS" ? "preflight" : PORTS[server[1]]] += 1;
    if (server?.[2] === "GET") counts.bytes += Number(server[4] ?? 0);
  }
  return counts;
}

/** Whether a count is the number, or between two numbers. */
function isExpected(count, expected) {
  return Array.isArray(expected) ? expected[0] <= count && count <= expected[1] : count === expected;
}

export function assert(holds, what) {
  if (!holds) throw new Error(what);
}

/** Runs a check and prints its result, with the requests that it took. `expected` are the only numbers, or ranges, allowed. */
export async function check(name, expected, run) {
  try {
    const finishCounting = startCounting();
    await run();
    const counts = finishCounting();
    const text = Object.entries(counts).filter(([, count]) => count).map(([server, count]) => `${server}=${count}`).join(" ");
    const holds = Object.entries(expected).every(([server, expected]) => isExpected(counts[server], expected));
    assert(holds, `requests: ${text}, expected ${JSON.stringify(expected)}`);
    console.log(`PASS ${name}: ${text}`);
  } catch (error) {
    failures.push(name);
    console.log(`FAIL ${name}: ${error.stack}`);
  }
}

/** Ends the program: it cannot run here. */
export function skip(why) {
  console.log(why);
  process.exit(77);
}

/** Ends the program. */
export function finish() {
  if (failures.length) console.log(`failed: ${failures.join(", ")}`);
  process.exit(failures.length ? 1 : 0);
}
