// Video and sound: Chromium's own player, which reads ranges of the link.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccessibility, filePath, stack, withPage } from './browser.mjs';
import { drawPictures, webm } from './content/video.mjs';
import { addFile, addFolder, skip } from './seed.mjs';

const SIZE = { width: 640, height: 480 };
const SECONDS = 90;
const s3 = new URL(stack.s3.endpoint).origin;

/** The ranges that were asked of S3, by where they begin. */
function rangesOf(page) {
  const starts = [];
  page.on('response', (response) => {
    if (!response.url().startsWith(s3)) return;
    const range = /^bytes (\d+)-/.exec(response.headers()['content-range'] ?? '');
    starts.push({ status: response.status(), start: range ? Number(range[1]) : 0 });
  });
  return starts;
}

const player = (page) => page.locator('.media video, .media audio');
const state = (page) =>
  player(page).evaluate(({ currentTime, duration, paused, error }) => ({
    currentTime,
    duration,
    paused,
    error: error?.message ?? null,
  }));

test('a video plays, and seeks by ranges', { skip }, async () => {
  const folder = addFolder(`media ${process.pid}`);
  let size;
  await withPage({ user: 'viewer' }, async (page) => {
    const pictures = await page.evaluate(drawPictures, { count: 6, ...SIZE });
    const bytes = webm(pictures, { seconds: SECONDS, ...SIZE });
    size = bytes.length;
    const id = await addFile({ name: 'behaviour.webm', kind: 'Video', parent: folder, bytes });
    const ranges = rangesOf(page);
    await page.goto(new URL(filePath(id), page.url()).href);
    await page.waitForFunction(() => document.querySelector('video')?.readyState >= 2);
    assert.equal((await state(page)).duration, SECONDS);
    await checkAccessibility(page, 'video');
    await player(page).focus();
    await page.keyboard.press('Space');
    await page.waitForFunction(() => document.querySelector('video').currentTime > 0.2);
    await page.keyboard.press('Space');
    const before = ranges.length;
    await player(page).evaluate((video) => (video.currentTime = 80));
    await page.waitForFunction(() => {
      const { currentTime, seeking, readyState } = document.querySelector('video');
      return currentTime >= 80 && !seeking && readyState >= 2;
    });
    assert.ok(
      ranges.slice(before).some(({ status, start }) => status === 206 && start > size * 0.8),
      JSON.stringify(ranges),
    );
    // What was jumped over was not read.
    const told = await page.getByRole('region', { name: 'What was read' }).innerText();
    const [, read, whole] = /about ([\d.]+) MB\s+of ([\d.]+) MB/.exec(told);
    assert.ok(Number(read) > 0 && Number(read) < Number(whole) * 0.8, told);
    assert.equal((await state(page)).error, null);
  });
});

test('a sound plays to its end', () =>
  withPage(
    { user: 'viewer', path: `/dataset/${stack.demo.course_dataset_node_id}/file/${stack.demo.sound}` },
    async (page) => {
      await page.waitForFunction(() => document.querySelector('audio')?.readyState >= 2);
      assert.equal((await state(page)).duration, 3);
      await checkAccessibility(page, 'sound');
      await player(page).evaluate((audio) => (audio.currentTime = 2.6));
      await player(page).focus();
      await page.keyboard.press('Space');
      await page.waitForFunction(() => document.querySelector('audio').ended);
    },
  ));

test('a video that cannot be played says why', { skip }, async () => {
  const folder = addFolder(`broken media ${process.pid}`);
  const id = await addFile({ name: 'broken.mp4', kind: 'Video', parent: folder, bytes: 'not a video' });
  await withPage({ user: 'viewer', allowed: /403/ }, async (page) => {
    await page.goto(new URL(filePath(id), page.url()).href);
    await page.getByRole('alert').getByText('The browser cannot play this file.').waitFor();
    // As S3 answers for an object that is archived.
    const body = '<Error><Code>InvalidObjectState</Code></Error>';
    const headers = { 'access-control-allow-origin': '*' };
    await page.route(`${s3}/**`, (route) => route.fulfill({ status: 403, headers, body }));
    await page.reload();
    await page
      .getByRole('alert')
      .getByText(/The file is archived/)
      .waitFor();
    await page.unroute(`${s3}/**`);
  });
});
