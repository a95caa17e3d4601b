import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const repository = join(import.meta.dirname, '../..');

function readSources(folder: string): string {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const texts = files.filter((name) => /\.(tsx?|html)$/.test(name) && !name.includes('.test.'));
  return texts.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n');
}

it('says what docs/console.md quotes', () => {
  const page = readFileSync(join(repository, 'docs/console.md'), 'utf8');
  // What follows a colon is the service's own text.
  const quoted = [...page.matchAll(/(?<!\*)\*([A-Z][^*:]+)[^*]*\*(?!\*)/g)].map(([, text]) => text);
  const sources = readSources(import.meta.dirname) + readSources(join(repository, 'crates/console/src'));
  const cognito = ['App clients', 'Login pages', 'Edit'];
  const missing = quoted.filter((text) => !cognito.includes(text ?? '') && !sources.includes(text ?? ''));
  expect(quoted.length).toBeGreaterThan(8);
  expect(missing).toEqual([]);
});
