// Chromium with a page of another origin than the API, S3 and the CDN, and the examples in docs/clients that run in it.

import { createServer } from "node:http";
import { accessSync, appendFileSync, constants, readFileSync } from "node:fs";
import { delimiter, extname } from "node:path";

import { API, DATASET, TOKEN, skip } from "./stack.mjs";

const MEDIA_TYPES = { ".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html" };
const PAGE = '<!doctype html><meta charset="utf-8"><title>clients</title><div id="view" style="width: 800px"></div>';

function findChromium() {
  const names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
  const folders = process.env.PATH.split(delimiter);
  const candidates = [process.env.CHROMIUM, ...folders.flatMap((folder) => names.map((name) => `${folder}/${name}`))];
  const isProgram = (file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  };
  return candidates.find((file) => file && isProgram(file));
}

/** The text of the block ```js NAME of docs/clients/PAGE.md. Notes that it was run. */
function findExample(page, name) {
  const text = readFileSync(new URL(`../../docs/clients/${page}.md`, import.meta.url), "utf8");
  const parts = text.split(`\n\`\`\`js ${name}\n`);
  if (parts.length !== 2) throw new Error(`${page}.md has ${parts.length - 1} blocks js ${name}`);
  if (process.env.STACK_EXAMPLES) appendFileSync(process.env.STACK_EXAMPLES, `${page}.md js ${name}\n`);
  return parts[1].split("\n```")[0];
}

/** Starts Chromium and a server for its pages. `files` are folders by the first part of their path. */
export async function startChromium(chromium, files = {}) {
  const executablePath = findChromium();
  if (!executablePath) skip("there is no Chromium in PATH, and CHROMIUM names none");
  const server = createServer((request, response) => {
    const [, folder, name] = new URL(request.url, "http://localhost").pathname.split("/");
    response.setHeader("Content-Type", MEDIA_TYPES[extname(name ?? "")] ?? "text/html");
    response.end(files[folder] ? readFileSync(`${files[folder]}/${name}`) : PAGE);
  });
  await new Promise((resolve) => server.listen(0, resolve));
  const browser = await chromium.launch({
    executablePath,
    // Root cannot use Chromium's sandbox.
    chromiumSandbox: process.getuid() !== 0,
    // Nothing is loaded from other hosts.
    args: ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"],
  });

  /** Runs a function with a new page whose cache is empty. */
  async function withPage(run) {
    const context = await browser.newContext();
    try {
      const page = await context.newPage();
      await page.goto(`http://localhost:${server.address().port}/`);
      return await run(page);
    } finally {
      await context.close();
    }
  }

  return {
    withPage,
    newContext: () => browser.newContext(),
    port: server.address().port,
    /** Evaluates a function in a new page. */
    evaluate: (run, argument, scripts = []) =>
      withPage(async (page) => {
        for (const content of scripts) await page.addScriptTag({ content });
        return page.evaluate(run, argument);
      }),
    async close() {
      await browser.close();
      server.close();
    },
  };
}

/** Bundles JavaScript for pages: its exports are in the global `name`. */
export async function bundle(esbuild, folder, name, contents, alias = {}) {
  const options = { bundle: true, format: "iife", globalName: name, write: false, logLevel: "error", alias, absWorkingDir: folder };
  const result = await esbuild.build({ ...options, stdin: { contents, resolveDir: folder } });
  return result.outputFiles[0].text;
}

/**
 * Loads an example. `run` runs it in a new page and returns what the expression `returns` is at its end; `runIn` runs it in a page.
 * The example is an ES module, to which the variables `names` are given.
 */
export async function loadExample({ esbuild, browser, folder, alias }, page, name, names, returns) {
  const code = findExample(page, name);
  const imports = code.match(/^import .*$/gm)?.join("\n") ?? "";
  const body = code.replace(/^import .*$/gm, "");
  const parameters = ["API", "DATASET", "TOKEN", ...names].join(", ");
  const contents = `${imports}\nexport async function run({ ${parameters} }) {\n${body}\nreturn ${returns};\n}`;
  const script = await bundle(esbuild, folder, "example", contents, alias);
  const runIn = async (tab, values) => {
    await tab.addScriptTag({ content: script });
    return tab.evaluate((values) => example.run(values), { API, DATASET, TOKEN, ...values });
  };
  return { runIn, run: (values) => browser.withPage((tab) => runIn(tab, values)) };
}
