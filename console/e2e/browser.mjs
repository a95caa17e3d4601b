// One Chromium for all tests, and pages that record what must not happen: errors, violations of the Content-Security-Policy,
// requests to strangers, jumps of the layout.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import axe from 'axe-core';
import { chromium } from 'playwright-core';

if (!process.env.STACK || !process.env.URL) {
  console.error('usage: STACK=.local/stack.json URL=http://127.0.0.1:8080 npm run e2e');
  process.exit(2);
}

export const stack = JSON.parse(readFileSync(process.env.STACK, 'utf8'));
export const origin = new URL(process.env.URL).origin;
export const dataset = stack.demo.dataset_node_id;

/** Where `dev` is, and to where its pages send requests; `serve` has another. */
const devSite = { origin, hosts: dataHosts() };

/** The origins that files come from. */
export function dataHosts() {
  return [new URL(stack.s3.endpoint).origin, new URL(stack.edge).origin];
}

const arguments_ = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  // No name leads anywhere: the network ends at this machine.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
];

let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: arguments_ });
}

/** Asks until the answer is right, and returns it. */
export async function eventually(ask, isRight) {
  const end = Date.now() + 30_000;
  for (;;) {
    const answer = await ask();
    if (isRight(answer)) return answer;
    assert.ok(Date.now() < end, `the last answer: ${JSON.stringify(answer)}`);
    await setTimeout(50);
  }
}

/** Asks until the answer is the same twice, half a second apart, and returns it. */
export async function settled(ask) {
  let last;
  const isLast = (answer) => {
    const isSame = answer === last;
    last = answer;
    return isSame;
  };
  return eventually(() => setTimeout(500).then(ask), isLast);
}

/**
 * Runs `use` with a new page of a new tab, as one of the demo's users or nobody. Afterwards the page must have had no errors and no
 * warnings, but those that `allowed` matches: a browser logs each response of 400 and up.
 */
export async function withPage(
  { user, site = devSite, path = '/', width = 1280, height = 800, allowed, scheme = 'light' },
  use,
) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  const faults = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !allowed?.test(message.text()))
      faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', ({ message }) => {
    if (!allowed?.test(message)) faults.push(`exception: ${message}`);
  });
  page.on('dialog', (dialog) => faults.push(`dialog: ${dialog.message()}`));
  page.on('request', (request) => {
    const address = request.url();
    if (!/^(blob|data):/.test(address) && ![site.origin, ...site.hosts].includes(new URL(address).origin))
      faults.push(`request to ${address}`);
  });
  await context.addInitScript(record);
  try {
    if (user) await signIn(page, user);
    await page.goto(site.origin + path);
    const result = await use(page);
    faults.push(...(await page.evaluate(() => window.recorded.violations)));
    const shift = await page.evaluate(() => window.recorded.shift);
    assert.deepEqual(faults, []);
    assert.ok(shift < 0.05, `the layout moved by ${shift}`);
    return result;
  } finally {
    await context.close();
  }
}

/** Runs in the page. */
function record() {
  window.recorded = { violations: [], shift: 0 };
  addEventListener('securitypolicyviolation', (event) =>
    window.recorded.violations.push(`policy: ${event.violatedDirective} ${event.blockedURI}`),
  );
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.recorded.shift += entry.value;
  }).observe({ type: 'layout-shift', buffered: true });
}

/** By the page, as people do. */
export async function signIn(page, user) {
  await page.goto(origin);
  await page.getByRole('button', { name: `${user}@example.org` }).click();
  await page.getByRole('heading', { name: 'Datasets' }).waitFor();
}

/** Nothing serious or critical, in light and dark. */
export async function checkAccessibility(page, view) {
  await page.evaluate(axe.source);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.evaluate(
      () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))),
    );
    const { violations } = await page.evaluate(() =>
      window.axe.run(document, { resultTypes: ['violations'] }),
    );
    const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    const told = grave.map(
      ({ id, nodes }) =>
        `${view}, ${colorScheme}: ${id} ${nodes.map(({ target, any }) => `${target} (${any[0]?.message})`).join(' ')}`,
    );
    assert.deepEqual(told, []);
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
}

/** At this width, nothing sticks out. */
export async function checkFits(page, view) {
  const [content, window_] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window_, `${view} is ${content} px wide in a window of ${window_} px`);
}

export const folderPath = (id) => `/dataset/${dataset}/folder/${id}`;
export const filePath = (id) => `/dataset/${dataset}/file/${id}`;
export const trashPath = `/dataset/${dataset}/trash`;
