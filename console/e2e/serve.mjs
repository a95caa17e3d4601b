// `packages-service serve` with the console, on the local stack's Postgres and S3, as docs/console.md sets it up: its variables are the
// page's, and so is the app client of its user pool.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import { dataHosts, folderPath, stack, withPage } from './browser.mjs';
import { UserPool } from './pool.mjs';

const repository = join(import.meta.dirname, '../..');
const PROGRAM = process.env.PROGRAM ?? join(repository, 'target/debug/packages-service');
const page = readFileSync(join(repository, 'docs/console.md'), 'utf8');
const SERVER_OF_PAGE = 'https://data.example.org';

export const viewer = stack.users.find(({ role }) => role === 'viewer');
/** What a browser logs of a refusal. */
export const REFUSED = /status of 40[01]/;
export const deepLink = `${folderPath(stack.demo.recordings)}?sort=-name#here`;
export const recordings = (page) => page.getByRole('row').filter({ hasText: 'spikes' });

// The tests share a service: the first that needs it starts it.
let shared;
after(async () => shared && stopServe(await shared));

/** As `withPage`, at the shared service, which `use` gets as well. */
export async function visit(options, use) {
  const serve = await (shared ??= startServe());
  const site = { origin: serve.origin, hosts: [...dataHosts(), serve.pool.origin] };
  return withPage({ site, ...options }, (page) => use(page, serve));
}

export const tokenField = (page) => page.getByRole('textbox', { name: 'Access token' });
export const tokenChoice = (page) => page.getByText('Use an access token instead');

export async function pasteToken(page, text) {
  if (!(await tokenField(page).isVisible())) await tokenChoice(page).click();
  await tokenField(page).fill(text);
  await page.keyboard.press('Enter');
}

/** What the page has stored: for this tab, and for all. */
export function readStorage(page) {
  return page.evaluate(async () => ({
    tab: JSON.stringify({ ...sessionStorage }),
    browser: JSON.stringify({ ...localStorage }) + document.cookie + (await indexedDB.databases()).length,
  }));
}

/**
 * A running service: `origin`, its user pool, the operators' token, and all that it has logged. Of the variables of the page it has those
 * that `isSet` says, or all.
 */
export async function startServe(isSet = () => true) {
  const variables = parseVariables(readFileSync(join(dirname(process.env.STACK), 'serve.env'), 'utf8'));
  const pool = new UserPool({
    id: variables.USER_POOL,
    clientId: variables.USER_CLIENT,
    people: stack.users,
  });
  await pool.start();
  const ours = {
    CONSOLE: 'on',
    USER_POOL_DOMAIN: pool.origin,
    CONSOLE_OPERATOR_TOKEN: randomBytes(32).toString('hex'),
  };
  for (const name of Object.keys(parseVariables(blockOf('ini')))) {
    if (!ours[name]) throw new Error(`docs/console.md sets ${name}, which these tests do not know`);
    if (isSet(name)) variables[name] = ours[name];
  }
  variables.AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER = pool.endpoint;
  variables.LISTEN_ADDRESS = '127.0.0.1:0';
  // Tests look for secrets in the log.
  variables.LOG_LEVEL = 'debug';
  const child = spawn(PROGRAM, ['serve'], { env: variables, stdio: ['ignore', 'pipe', 'pipe'] });
  process.once('exit', () => child.kill());
  const serve = { pool, child, log: '', operatorToken: variables.CONSOLE_OPERATOR_TOKEN };
  serve.origin = `http://${await readAddress(child, serve)}`;
  pool.client = JSON.parse(blockOf('json').replaceAll(SERVER_OF_PAGE, serve.origin));
  return serve;
}

export async function stopServe({ child, pool }) {
  pool.stop();
  child.kill('SIGTERM');
  if (child.exitCode === null) await once(child, 'exit');
}

/** The first block of code in this language. */
function blockOf(language) {
  return page.match(new RegExp('```' + language + '\\n([^]*?)```'))[1];
}

function parseVariables(text) {
  return Object.fromEntries(
    [...text.matchAll(/^([A-Z0-9_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
  );
}

/** Waits for the line that says where the service listens. */
function readAddress(child, serve) {
  return new Promise((resolve, reject) => {
    const read = (chunk) => {
      serve.log += chunk;
      const address = serve.log.match(/"address":"([^"]+)"/)?.[1];
      if (address) resolve(address);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`serve ended with ${code}: ${serve.log}`)));
  });
}
