// Adds packages and their files to the demo, with psql and over S3's own protocol: what the demo has none of.
import { execFileSync } from 'node:child_process';
import { createHash, createHmac, randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { stack } from './browser.mjs';

const psql = findProgram();
/** Of tests: what to say where they cannot run. */
export const skip = !psql && 'psql is not installed';

export const schema = `"${stack.demo.workspace_id}"`;

function findProgram() {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).map((version) => `${debian}/${version}/bin`) : [];
  const path = (process.env.PATH ?? '').split(':');
  const folders = [process.env.PG_BIN_DIR, ...path, ...versions].filter(Boolean);
  return folders.map((folder) => `${folder}/psql`).find((program) => existsSync(program));
}

/** A text in SQL. */
export function literal(text) {
  return text === null ? 'NULL' : `'${text.replaceAll("'", "''")}'`;
}

/** Runs statements in one transaction, and returns what they print: values, separated by line breaks. */
export function runSql(statements) {
  // By the environment: a command that fails is logged with its arguments.
  const { hostname, port, username, password, pathname } = new URL(stack.database_url);
  const address = { PGHOST: hostname, PGPORT: port, PGUSER: username, PGDATABASE: pathname.slice(1) };
  const env = { ...process.env, ...address, PGPASSWORD: decodeURIComponent(password) };
  const options = ['-v', 'ON_ERROR_STOP=1', '-q', '-A', '-t', '-1'];
  return execFileSync(psql, options, { env, input: statements, encoding: 'utf8' }).trim();
}

/** In SQL: the number of the package with a node id. */
export function numberOf(id) {
  return `(SELECT id FROM ${schema}.packages WHERE node_id = ${literal(id)})`;
}

/** Adds a row for a package, and returns its node id. `more`: statements that follow. */
export function addPackage({ name, kind = 'Unsupported', state = 'READY', parent = null }, more = () => '') {
  const id = `N:${kind === 'Collection' ? 'collection' : 'package'}:${randomUUID()}`;
  runSql(`INSERT INTO ${schema}.packages (name, type, state, node_id, dataset_id, owner_id, parent_id)
    SELECT ${literal(name)}, ${literal(kind)}, ${literal(state)}, '${id}', dataset_id, owner_id, ${parent ? numberOf(parent) : 'NULL'}
    FROM ${schema}.packages WHERE node_id = ${literal(stack.demo.recordings)};
    ${more(id)}`);
  return id;
}

export function addFolder(name, parent = null) {
  return addPackage({ name, kind: 'Collection', parent });
}

/** Adds a package with a source file, and returns its node id. `more`: statements that follow. */
export async function addFile({ bytes, ...options }, more = () => '') {
  const { storage_bucket: bucket } = stack.s3;
  const key = `O${stack.demo.workspace_id}/D1/${randomUUID()}/${randomUUID()}`;
  await putObject(bucket, key, bytes);
  const values = [literal(options.name), literal(bucket), literal(key), Buffer.byteLength(bytes)];
  return addPackage(
    options,
    (id) => `INSERT INTO ${schema}.files
        (name, s3_bucket, s3_key, size, package_id, object_type, processing_state, uploaded_state)
      VALUES (${values}, ${numberOf(id)}, 'source', 'unprocessed', 'UPLOADED');
      ${more(id)}`,
  );
}

/** Adds viewer assets of a package, by their paths. */
export async function addAssets(id, assets) {
  const prefix = runSql(`SELECT 'O${stack.demo.workspace_id}/D' || dataset_id || '/P' || id
    FROM ${schema}.packages WHERE node_id = ${literal(id)};`);
  for (const [path, bytes] of Object.entries(assets))
    await putObject(stack.s3.viewer_assets_bucket, `${prefix}/${path}`, bytes);
}

/** `PUT Object`, signed as AWS documents it ("Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)"). */
async function putObject(bucket, key, bytes) {
  const url = new URL(`${stack.s3.endpoint}/${bucket}/${key}`);
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const hash = sha256(bytes);
  const headers = { host: url.host, 'x-amz-content-sha256': hash, 'x-amz-date': time };
  const names = Object.keys(headers).join(';');
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  const request = ['PUT', url.pathname, '', lines.join(''), names, hash].join('\n');
  const scope = [time.slice(0, 8), stack.s3.region, 's3', 'aws4_request'];
  const text = ['AWS4-HMAC-SHA256', time, scope.join('/'), sha256(request)].join('\n');
  const secret = scope.reduce((key, part) => hmac(key, part), `AWS4${stack.s3.secret_access_key}`);
  const credential = `${stack.s3.access_key_id}/${scope.join('/')}`;
  const signature = hmac(secret, text).toString('hex');
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`;
  const response = await fetch(url, { method: 'PUT', headers, body: bytes });
  if (!response.ok) throw new Error(`S3 answered ${response.status}: ${await response.text()}`);
}

function sha256(data) {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key, data) {
  return createHmac('sha256', key).update(data).digest();
}
