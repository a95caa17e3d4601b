// All tests of the browser, in one process and one after the other: they share a browser and a service.
// STACK=.local/stack.json URL=http://127.0.0.1:8080 npm run e2e [NAME…]
// The service has to be fresh: the tests restore what is in the demo's trash.
import { readdirSync } from 'node:fs';

const wanted = process.argv.slice(2);
const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.mjs'));
for (const part of wanted) {
  if (files.some((name) => name.includes(part))) continue;
  const names = files.map((name) => name.replace('.test.mjs', ''));
  console.error(`e2e: no tests are named ${part}; there are ${names.sort().join(', ')}`);
  process.exit(2);
}
for (const name of files.sort()) {
  if (wanted.length === 0 || wanted.some((part) => name.includes(part))) await import(`./${name}`);
}
