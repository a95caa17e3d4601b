// Runs what "copy as" gives, as it is copied, against a running service: for the demo's CSV, Parquet, picture, pyramid and other file.
// STACK=.local/stack.json node e2e/snippets.mjs
// Programs that are missing are skipped with a line. Python is that of the environments of `make clients` (.tools/clients-*).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createServer } from 'vite';

const stack = JSON.parse(readFileSync(process.env.STACK ?? '../.local/stack.json', 'utf8'));
const TOKEN = stack.users.find(({ role }) => role === 'viewer').token;
const tools = resolve(import.meta.dirname, '../../.tools');

// What each file's snippets have to print or to save
const FILES = [
  { demo: 'table', name: 'units.csv', path: null, bytes: 23_634, says: /126\.6/ },
  { demo: 'spikes', name: 'spikes.parquet', path: 'spikes.parquet', bytes: 831_364, says: /09:30:00.004/ },
  { demo: 'image', name: 'overview.png', path: null, bytes: 182_235, says: /182235/ },
  { demo: 'recording', name: `it's "raw" $HOME (1).dat`, path: null, bytes: 12_582_912, says: /12582912/ },
  { demo: 'pyramid', name: 'slice', path: 'image.ome.zarr/', bytes: 0, says: /multiscales|Group|Policy=/ },
];

/** How a language is run; null if its program is missing. */
function commandOf({ id, language, code }) {
  if (language === 'sh') return has(id) ? ['bash', '-c', `set -euo pipefail\n${code}`] : null;
  if (language === 'r') return has('Rscript') ? ['Rscript', '-e', code] : null;
  if (language === 'js') return [process.execPath, '--input-type=module', '-e', code];
  const python = join(tools, id === 'zarr-python' ? 'clients-zarr-python' : 'clients-tables', 'bin/python');
  return existsSync(python) ? [python, '-c', code] : null;
}

function has(program) {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

/** DuckDB's extension comes from a Python package there: INSTALL finds it in the home directory, and asks no host. */
function prepareHome(home) {
  const packages = join(tools, 'clients-tables/lib');
  if (!existsSync(packages)) return;
  const find =
    'from duckdb_extension_httpfs import *; import duckdb_extension_httpfs as m; print(m.__path__[0])';
  const found = spawnSync(join(tools, 'clients-tables/bin/python'), ['-c', find], {
    encoding: 'utf8',
  }).stdout.trim();
  for (const file of readdirSync(found, { recursive: true }).map(String)) {
    if (!file.endsWith('.duckdb_extension')) continue;
    const platform = spawnSync(
      join(tools, 'clients-tables/bin/python'),
      ['-c', 'import duckdb; print(duckdb.__version__, duckdb.sql("PRAGMA platform").fetchone()[0])'],
      { encoding: 'utf8' },
    );
    const [version, system] = platform.stdout.trim().split(' ');
    const folder = join(home, '.duckdb/extensions', `v${version}`, system);
    mkdirSync(folder, { recursive: true });
    symlinkSync(join(found, file), join(folder, 'httpfs.duckdb_extension'));
  }
}

function run(snippet, file, home) {
  const command = commandOf(snippet);
  if (!command) return 'skipped: its program is missing';
  const directory = mkdtempSync(join(home, 'run-'));
  // zarrita is found from the folder of the console.
  const cwd = snippet.language === 'js' ? resolve(import.meta.dirname, '..') : directory;
  const environment = { PATH: process.env.PATH, HOME: home, TOKEN };
  const [program, ...rest] = command;
  const { status, stdout, stderr } = spawnSync(program, rest, {
    cwd,
    env: environment,
    encoding: 'utf8',
    timeout: 120_000,
  });
  assert.equal(status, 0, `${snippet.label} for ${file.demo}:\n${stdout}\n${stderr}\n${snippet.code}`);
  const saved = readdirSync(directory);
  if (saved.length > 0)
    assert.equal(readFileSync(join(directory, saved[0])).length, file.bytes, snippet.code);
  else
    assert.match(
      stdout.replace(/ bytes/g, ''),
      snippet.id === 'fetch' ? new RegExp(String(file.bytes)) : file.says,
    );
  return saved.length > 0 ? `saved ${JSON.stringify(saved[0])}` : 'ran';
}

const vite = await createServer({ server: { middlewareMode: true }, appType: 'custom', logLevel: 'error' });
const home = mkdtempSync(join(tmpdir(), 'snippets-'));
let skipped = 0;
try {
  prepareHome(home);
  const { snippetsOf } = await vite.ssrLoadModule('/src/file/snippets.ts');
  for (const file of FILES) {
    const packageId = stack.demo[file.demo];
    const target = {
      api: stack.api,
      datasetId: stack.demo.dataset_node_id,
      packageId,
      name: file.name,
      path: file.path,
    };
    for (const snippet of snippetsOf(target)) {
      const outcome = run(snippet, file, home);
      if (outcome.startsWith('skipped')) skipped += 1;
      console.log(`${file.demo}, ${snippet.label}: ${outcome}`);
    }
  }
} finally {
  await vite.close();
  rmSync(home, { recursive: true });
}
console.log(skipped ? `${skipped} skipped, all others ran` : 'all ran');
