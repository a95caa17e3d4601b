// The local stack, for client programs: its files, links and users, and how many requests each of its servers got.

import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";

export const STACK = JSON.parse(readFileSync(process.env.STACK, "utf8"));
export const { api: API, edge: EDGE } = STACK;
export const DATASET = STACK.demo.dataset_node_id;
export const TOKEN = STACK.users.find((user) => user.role === "viewer").token;
export const HEADERS = { Authorization: `Bearer ${TOKEN}` };

const PORTS = { [new URL(EDGE).port]: "edge", [new URL(STACK.s3.endpoint).port]: "s3" };
const API_LINE = /method="([A-Z]+)" .*: api::request_log: request completed/;
const SERVER_LINE = /answered port=(\d+) method=([A-Z]+) status=\d+(?: bytes=(\d+))?/;

const failures = [];

/** The node id of a package of the demo. */
export const packageId = (name) => STACK.demo[name];

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
  const counts = { api: 0, edge: 0, s3: 0, preflight: 0, bytes: 0 };
  for (const line of text.split("\n")) {
    const api = API_LINE.exec(line);
    const server = SERVER_LINE.exec(line);
    if (api) counts[api[1] === "OPTIONS" ? "preflight" : "api"] += 1;
    if (server) counts[server[2] === "OPTIONS" ? "preflight" : PORTS[server[1]]] += 1;
    if (server?.[2] === "GET") counts.bytes += Number(server[3] ?? 0);
  }
  return counts;
}

export function assert(holds, what) {
  if (!holds) throw new Error(what);
}

/** Runs a check and prints its result, with the requests that it took. `expected` are the only numbers allowed. */
export async function check(name, expected, run) {
  try {
    const finishCounting = startCounting();
    await run();
    const counts = finishCounting();
    const text = Object.entries(counts).filter(([, count]) => count).map(([server, count]) => `${server}=${count}`).join(" ");
    const holds = Object.entries(expected).every(([server, count]) => counts[server] === count);
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
