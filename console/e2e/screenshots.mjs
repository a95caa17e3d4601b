// Writes the pictures of the README to docs/images: STACK=.local/stack.json URL=http://127.0.0.1:8080 npm run screenshots
// The service has to be fresh: one of the pictures is of the trash.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import library from '@pdf-lib/upng';
import { chromium } from 'playwright-core';

const { demo } = JSON.parse(readFileSync(process.env.STACK, 'utf8'));
const { origin } = new URL(process.env.URL);
const folder = new URL('../../docs/images/', import.meta.url).pathname;
const dataset = `/dataset/${demo.dataset_node_id}`;

const upng = library.default;
const WIDE = { width: 1440, height: 900 };
const TABLET = { width: 820, height: 1000 };
const PHONE = { width: 360, height: 740 };

const PICTURES = [
  { name: 'files', path: `${dataset}/folder/${demo.recordings}`, ready: '.tree-row', size: WIDE },
  {
    name: 'table',
    path: `${dataset}/file/${demo.spikes}`,
    ready: '.file-body table, .file-body [role=grid]',
    size: WIDE,
  },
  {
    name: 'pyramid',
    path: `${dataset}/file/${demo.pyramid}`,
    ready: '.file-body canvas',
    size: WIDE,
    scheme: 'dark',
  },
  { name: 'restore', path: `${dataset}/trash`, ready: '.tree-row', size: TABLET, then: openPreview },
  { name: 'phone', path: `${dataset}/trash`, ready: '.tree-row', size: PHONE, scheme: 'dark' },
  { name: 'reference', path: '/docs#listTrash', ready: '#listTrash', size: WIDE },
];

async function openPreview(page) {
  await page.getByRole('treegrid').focus();
  await page.keyboard.press('Control+a');
  await page.getByRole('button', { name: 'Restore…' }).click();
  await page.getByText('README-restored_1.md').waitFor();
}

async function take(browser, { name, path, ready, size, scheme = 'light', then }) {
  const context = await browser.newContext({ viewport: size, colorScheme: scheme, reducedMotion: 'reduce' });
  const page = await context.newPage();
  await page.goto(origin);
  await page.getByRole('button', { name: 'editor@example.org' }).click();
  await page.getByRole('heading', { name: 'Datasets' }).waitFor();
  await page.goto(origin + path);
  await page.locator(ready).first().waitFor();
  await page.waitForLoadState('networkidle');
  await then?.(page);
  writeFileSync(`${folder}${name}.png`, pack(await page.screenshot({ animations: 'disabled' })));
  await context.close();
}

/** With a palette: a third of the bytes, which a clone takes for ever, and no difference to the eye. */
function pack(png) {
  const { buffer } = new Uint8Array(png);
  const picture = upng.decode(buffer);
  return Buffer.from(upng.encode(upng.toRGBA8(picture), picture.width, picture.height, 256));
}

mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
try {
  for (const picture of PICTURES) await take(browser, picture);
} finally {
  await browser.close();
}
