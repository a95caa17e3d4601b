// Files of kinds that the demo has none of, or that it has without trouble in them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { checkAccessibility, eventually, filePath, settled, stack, withPage } from './browser.mjs';
import { HOSTILE_MARKDOWN, largeJson, longText } from './content/texts.mjs';
import { plainZarr, shardedZarr } from './content/zarr.mjs';
import { addAssets, addFile, addFolder, addPackage, skip } from './seed.mjs';

const options = { skip };
const course = (id) => `/dataset/${stack.demo.course_dataset_node_id}/file/${id}`;
const viewer = (page) => page.getByRole('region', { name: 'The file' });
let folder;

before(() => {
  if (!skip) folder = addFolder(`formats ${process.pid}`);
});

/** A package with a pyramid only. */
async function addPyramid(name, files) {
  const id = addPackage({ name, parent: folder });
  const assets = Object.entries(files).map(([path, bytes]) => [`image.ome.zarr/${path}`, bytes]);
  await addAssets(id, Object.fromEntries(assets));
  return { id, bytes: Object.values(files).reduce((sum, { length }) => sum + length, 0) };
}

/** In the page: the colours of the canvas, of each quarter its middle. */
function coloursOfQuarters() {
  const canvas = document.querySelector('.stage canvas');
  const side = Math.min(canvas.width, canvas.height);
  const [left, top] = [(canvas.width - side) / 2, (canvas.height - side) / 2];
  // A copy: Chromium warns of a canvas that is read again and again.
  const copy = new OffscreenCanvas(side, side).getContext('2d', { willReadFrequently: true });
  copy.drawImage(canvas, -left, -top);
  const { data } = copy.getImageData(0, 0, side, side);
  const at = (x, y) => 4 * (Math.floor(side * y) * Math.floor(side) + Math.floor(side * x));
  const places = [at(0.25, 0.25), at(0.75, 0.25), at(0.25, 0.75), at(0.75, 0.75)];
  return places.map((place) => [...data.subarray(place, place + 3)]);
}

/** Waits until those quarters of the canvas are magenta, and only those. */
async function waitForMagenta(page, expected) {
  const isMagenta = ([red, , blue]) => red > 10 && red === blue;
  const isExpected = (quarters) => quarters.every((colour, at) => isMagenta(colour) === expected[at]);
  await eventually(() => page.evaluate(coloursOfQuarters), isExpected);
}

const requestsOf = (page) => {
  const urls = [];
  page.on('request', (request) => {
    if (request.url().includes('image.ome.zarr/')) urls.push([request.url(), request.headers().range]);
  });
  return urls;
};

test('OME-Zarr of version 3: a chunk that is missing is dark', options, async () => {
  const { id } = await addPyramid('rings.ome.zarr', plainZarr());
  await withPage({ user: 'viewer', path: '/', allowed: /404/ }, async (page) => {
    const requests = requestsOf(page);
    await page.goto(new URL(filePath(id), page.url()).href);
    await page.getByText(/Level 1 of 2/).waitFor();
    await page.getByRole('checkbox', { name: 'rings' }).waitFor();
    await waitForMagenta(page, [true, true, true, false]);
    await settled(() => requests.length);
    // The group, two levels; of each channel the coarsest chunk, which is drawn first, and four in sight.
    assert.equal(requests.filter(([url]) => /\/c\/\d/.test(url)).length, 10);
    assert.equal(requests.filter(([url]) => /zarr\.json/.test(url)).length, 3);
  });
});

test('OME-Zarr in shards: the index, and then ranges', options, async () => {
  const { id } = await addPyramid('shards.ome.zarr', shardedZarr());
  await withPage({ user: 'viewer', path: '/' }, async (page) => {
    const requests = requestsOf(page);
    await page.goto(new URL(filePath(id), page.url()).href);
    await page.getByText(/Level 1 of 2/).waitFor();
    await waitForMagenta(page, [true, true, true, true]);
    await settled(() => requests.length);
    const chunks = requests.filter(([url]) => /\/c\/\d/.test(url));
    assert.ok(
      chunks.every(([, range]) => /^bytes=/.test(range)),
      'a shard is never read whole',
    );
    // Of each channel and level one index; 2 × 2 chunks of the coarse one, and 4 × 4 of the other.
    assert.equal(chunks.length, 2 * (5 + 17));
  });
});

test('HDF5: groups, datasets and attributes', options, async () => {
  const bytes = readFileSync(new URL('content/session.h5', import.meta.url));
  const id = await addFile({ name: 'session.h5', kind: 'HDF5', parent: folder, bytes });
  await withPage({ user: 'viewer', path: filePath(id) }, async (page) => {
    const tree = page.getByRole('region', { name: 'Tree of session.h5' });
    await tree.getByText('<img src=x onerror=alert(1)>').waitFor();
    await tree.getByText('"<b>mouse 12</b>"').waitFor();
    await tree.getByText('a link to nothing, or outside of the file').waitFor();
    await tree.locator('summary').filter({ hasText: 'probe' }).last().click();
    await tree.getByText('4, 32-bit float').waitFor();
    await tree.getByText('1000 × 4, 16-bit integer').click();
    await tree.getByText('"µV"').waitFor();
    await tree.getByRole('row', { name: '99 396 397 398 399' }).waitFor();
    await tree.getByText('and 900 rows more').waitFor();
    await tree.getByText('2, of several parts').waitFor();
    assert.equal(await viewer(page).locator('img, b').count(), 0);
    await checkAccessibility(page, 'HDF5');
  });
});

test('Markdown runs nothing, loads nothing, and leads away only with noopener', options, async () => {
  const id = await addFile({ name: 'protocol.md', parent: folder, bytes: HOSTILE_MARKDOWN });
  await withPage({ user: 'viewer', path: filePath(id) }, async (page) => {
    const text = page.getByRole('region', { name: 'protocol.md' });
    await text.getByText('A paragraph.').hover();
    await text.getByText('bold').hover();
    const inside = await text.evaluate((region) => ({
      elements: [...new Set([...region.querySelectorAll('*')].map(({ localName }) => localName))],
      attributes: [...region.querySelectorAll('*')].flatMap((element) => element.getAttributeNames()),
      links: [...region.querySelectorAll('a[href]')].map(({ href, rel, target }) => [href, rel, target]),
      hostile: window.hostile ?? null,
      shown: getComputedStyle(document.body).display,
    }));
    assert.equal(inside.hostile, null);
    assert.notEqual(inside.shown, 'none');
    const unsafe = /^(script|img|svg|iframe|form|input|button|style|base|meta|object|embed|video|audio)$/;
    assert.deepEqual(
      inside.elements.filter((name) => unsafe.test(name)),
      [],
    );
    assert.deepEqual(
      inside.attributes.filter((name) => /^(on|style|id$|src)/.test(name)),
      [],
    );
    const rel = 'noopener noreferrer nofollow';
    assert.deepEqual(inside.links, [
      ['https://stranger.example/page', rel, '_blank'],
      ['mailto:someone@example.org', rel, '_blank'],
    ]);
    for (const name of ['script', 'entities', 'upper', 'beside'])
      await text.getByText(name, { exact: true }).first().click();
    assert.equal(await page.evaluate(() => window.hostile ?? null), null);
    await text.getByText('Picture: A picture (https://stranger.example/picture.png)').waitFor();
    await checkAccessibility(page, 'Markdown');
    await page.getByRole('button', { name: 'Text', exact: true }).click();
    await page.getByText("<script>window.hostile = 'script'</script>").waitFor();
  });
});

test('Markdown that is nested too deeply is shown as text', options, async () => {
  const id = await addFile({ name: 'deep.md', parent: folder, bytes: `${'> '.repeat(20_000)}deep` });
  await withPage({ user: 'viewer', path: filePath(id) }, async (page) => {
    await page.getByText('This Markdown is nested too deeply to be laid out.').waitFor();
    await viewer(page)
      .getByText(/> > > .*deep$/)
      .waitFor();
    await checkAccessibility(page, 'deep Markdown');
  });
});

test('a viewer that fails leaves the page and the link', options, async () => {
  const id = await addFile({ name: 'notes.md', parent: folder, bytes: '# Notes' });
  await withPage({ user: 'viewer', path: '/', allowed: /a faulty viewer/ }, async (page) => {
    const body = "export default () => { throw new Error('a faulty viewer'); }";
    await page.route(/MarkdownViewer-[^/]*\.js$/, (route) =>
      route.fulfill({ contentType: 'text/javascript', body }),
    );
    await page.goto(new URL(filePath(id), page.url()).href);
    const alert = viewer(page).getByRole('alert');
    await alert.getByText('a faulty viewer').waitFor();
    await page.getByRole('complementary', { name: 'The link' }).getByText('Copy as').first().waitFor();
    await checkAccessibility(page, 'a faulty viewer');
    await alert.getByRole('button', { name: 'Try again' }).click();
    await alert.getByText('a faulty viewer').waitFor();
  });
});

test('Markdown of the demo is read as it is meant, and a table with tabs', () =>
  withPage({ user: 'viewer', path: course(stack.demo.markdown) }, async (page) => {
    await page.getByRole('heading', { level: 2, name: 'Spikes for beginners' }).waitFor();
    await page.getByRole('cell', { name: 'interneurons' }).waitFor();
    await page.getByText('import pandas as pd').waitFor();
    await page.goto(new URL(course(stack.demo.answers), page.url()).href);
    await page.getByText('40 rows, 3 columns, separated by tabs').waitFor();
    await page.getByRole('columnheader', { name: 'interneurons' }).click();
    await page.getByRole('img', { name: /Histogram of interneurons: 40 values/ }).waitFor();
    await checkAccessibility(page, 'TSV');
  }));

test('large JSON is read when somebody asks for it, and shows what is in sight', options, async () => {
  const id = await addFile({ name: 'trials.json', parent: folder, bytes: largeJson() });
  await withPage({ user: 'viewer', path: filePath(id) }, async (page) => {
    await page.getByText('This file is read whole to be shown').waitFor();
    await checkAccessibility(page, 'before a large file');
    await page.getByRole('button', { name: /^Read it: [\d.]+ MB/ }).click();
    const tree = page.getByRole('region', { name: 'trials.json' });
    await tree.getByText('<img src=x onerror=alert(1)>').waitFor();
    await tree.locator('summary').filter({ hasText: 'trials' }).click();
    await tree.getByRole('button', { name: '69,800 more' }).click();
    await tree.getByRole('button', { name: '68,800 more' }).waitFor();
    assert.ok((await tree.locator('li').count()) < 6_000);
    assert.equal(await viewer(page).locator('img').count(), 0);
    await page.getByRole('button', { name: 'Text', exact: true }).click();
    await page.getByText('<script>alert(1)</script>').first().waitFor();
    // A line of five million characters takes a browser a minute.
    await page.getByRole('button', { name: 'Show 200,000 of them' }).click();
    assert.equal((await page.locator('.text-lines').textContent()).length, 400_000);
  });
});

test('files that are not what their names say', options, async () => {
  const bytes = '{"a": 1,}';
  const [tree, json] = await Promise.all(
    ['no.h5', 'broken.json'].map((name) => addFile({ name, parent: folder, bytes })),
  );
  await withPage({ user: 'viewer', path: filePath(tree) }, async (page) => {
    await page
      .getByRole('alert')
      .getByText(/This HDF5 file cannot be read here/)
      .waitFor();
    await checkAccessibility(page, 'damaged');
    await page.goto(new URL(filePath(json), page.url()).href);
    await page.getByText(/^Not JSON: /).waitFor();
    await page.getByText(bytes).waitFor();
  });
});

test('long text comes piece by piece', options, async () => {
  const text = longText();
  const id = await addFile({ name: 'amplifier.log', parent: folder, bytes: text });
  await withPage({ user: 'viewer', path: filePath(id) }, async (page) => {
    await page.getByText(/^The first 131 kB of/).waitFor();
    await checkAccessibility(page, 'text');
    const more = page.getByRole('button', { name: 'Read 131 kB more' });
    await more.click();
    await page.getByText(/^The first 262 kB of/).waitFor();
    await more.click();
    await page.getByText(/^All of it, UTF-8/).waitFor();
    assert.equal(await page.locator('.text-lines').textContent(), text, 'no character is cut or lost');
    assert.equal(await viewer(page).locator('pre b').count(), 0);
  });
});
