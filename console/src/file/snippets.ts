import { quotePython, quoteR, quoteScript, quoteShell, quoteSql, safeFileName } from './quoting';

/** What a snippet opens. */
export interface SnippetTarget {
  /** The API's address, such as `https://api.example.org/packages`. */
  api: string;
  datasetId: string;
  packageId: string;
  name: string;
  /** A viewer asset, or null for the source file; a directory ends in a slash. */
  path: string | null;
}

export type SnippetId = 'curl' | 'wget' | 'python' | 'duckdb' | 'r' | 'zarr-python' | 'zarrita' | 'fetch';

export interface Snippet {
  id: SnippetId;
  label: string;
  language: 'sh' | 'python' | 'r' | 'js';
  code: string;
  /** What it needs. */
  note: string;
}

type Table = 'csv' | 'tsv' | 'parquet' | null;

/**
 * How to open the file elsewhere, as docs/clients has it. No snippet has a secret: the token comes from the environment variable
 * `TOKEN`, and each run asks for a new link.
 */
export function snippetsOf(target: SnippetTarget): Snippet[] {
  if (target.path?.endsWith('/')) return [zarrPython(target), zarrita(target), curlDirectory(target)];
  const table = tableOf(target.path ?? target.name);
  const snippets = [curl(target), wget(target), python(target, table)];
  if (table) snippets.push(duckdb(target, table));
  return [...snippets, r(target, table), fetchSnippet(target)];
}

function tableOf(name: string): Table {
  const extension = /\.(csv|tsv|parquet)$/i.exec(name)?.[1]?.toLowerCase();
  return (extension as Table | undefined) ?? null;
}

function fileNameOf({ name, path }: SnippetTarget): string {
  return safeFileName(path?.split('/').at(-1) ?? name);
}

/** `/presign/s3` and the file. Node ids need no escapes in a query. */
export function presignUrl({ api, datasetId, packageId, path }: SnippetTarget): string {
  const ids = `dataset_id=${encodeId(datasetId)}&package_id=${encodeId(packageId)}`;
  return `${api}/presign/s3?${ids}${path === null ? '' : `&path=${encodePath(path)}`}`;
}

function signUrl({ api, datasetId, packageId, path }: SnippetTarget): string {
  const ids = `dataset_id=${encodeId(datasetId)}&package_id=${encodeId(packageId)}`;
  return `${api}/cloudfront/sign?${ids}&path=${encodePath(path ?? '')}`;
}

function encodeId(id: string): string {
  return encodeURIComponent(id).replaceAll('%3A', ':');
}

function encodePath(path: string): string {
  // encodeURIComponent leaves !'()*: the quote would end a string of some languages.
  return encodeURIComponent(path)
    .replaceAll('%2F', '/')
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

const TOKEN_NOTE = 'TOKEN is an environment variable with your access token.';

function curl(target: SnippetTarget): Snippet {
  const code = `curl -sSfL -H "Authorization: Bearer $TOKEN" -o ${quoteShell(fileNameOf(target))} \\
    ${quoteShell(presignUrl(target))}
`;
  return { id: 'curl', label: 'curl', language: 'sh', code, note: TOKEN_NOTE };
}

function wget(target: SnippetTarget): Snippet {
  const code = `url=$(wget -qO- --header "Authorization: Bearer $TOKEN" --header 'Accept: text/plain' \\
    ${quoteShell(presignUrl(target))})
wget -q -O ${quoteShell(fileNameOf(target))} "$url"
`;
  const note = `${TOKEN_NOTE} Asks for a link first: wget would send the token on to S3.`;
  return { id: 'wget', label: 'wget', language: 'sh', code, note };
}

const READERS: Record<'csv' | 'tsv' | 'parquet', string> = {
  csv: 'pandas.read_csv(file)',
  tsv: 'pandas.read_csv(file, sep="\\t")',
  parquet: 'pandas.read_parquet(file)',
};

function python(target: SnippetTarget, table: Table): Snippet {
  const imports = table ? 'import fsspec\nimport pandas' : 'import fsspec';
  const read = table
    ? `    table = ${READERS[table]}\nprint(table.head())`
    : '    data = file.read()\nprint(len(data), "bytes")';
  const code = `import os

${imports}

url = ${quotePython(presignUrl(target))}
headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
with fsspec.open(url, client_kwargs={"headers": headers}) as file:
${read}
`;
  const packages =
    table === 'parquet'
      ? 'pandas pyarrow fsspec aiohttp'
      : table
        ? 'pandas fsspec aiohttp'
        : 'fsspec aiohttp';
  const label = table ? 'Python: pandas' : 'Python: fsspec';
  return { id: 'python', label, language: 'python', code, note: `${TOKEN_NOTE} pip install ${packages}` };
}

function duckdb(target: SnippetTarget, table: Exclude<Table, null>): Snippet {
  const url = quoteSql(presignUrl(target));
  const reader = {
    csv: `read_csv(${url})`,
    tsv: `read_csv(${url}, delim='\\t')`,
    parquet: `read_parquet(${url})`,
  }[table];
  const code = `import os

import duckdb

connection = duckdb.connect()
connection.execute("INSTALL httpfs; LOAD httpfs")
connection.execute(
    ${quotePython(`CREATE SECRET (TYPE http, SCOPE ${quoteSql(target.api)}, EXTRA_HTTP_HEADERS MAP {'Authorization': 'Bearer `)}
    + os.environ["TOKEN"] + "'})"
)
print(connection.sql(${quotePython(`SELECT * FROM ${reader} LIMIT 10`)}))
`;
  const note = `${TOKEN_NOTE} pip install duckdb. Reads only the columns and row groups that the query needs.`;
  return {
    id: 'duckdb',
    label: 'DuckDB',
    language: 'python',
    code,
    note: table === 'parquet' ? note : `${TOKEN_NOTE} pip install duckdb`,
  };
}

function r(target: SnippetTarget, table: Table): Snippet {
  const name = quoteR(fileNameOf(target));
  const readers = {
    csv: `read.csv(${name})`,
    tsv: `read.delim(${name})`,
    parquet: `arrow::read_parquet(${name})`,
  };
  const code = `library(httr2)

link <- request(${quoteR(`${presignUrl(target)}&redirect=false`)}) |>
  req_auth_bearer_token(Sys.getenv("TOKEN")) |>
  req_perform() |>
  resp_body_json()
download.file(link$presigned_url, ${name}, mode = "wb")
${table ? `table <- ${readers[table]}\nhead(table)\n` : ''}`;
  const packages = table === 'parquet' ? 'c("httr2", "arrow")' : '"httr2"';
  return { id: 'r', label: 'R', language: 'r', code, note: `${TOKEN_NOTE} install.packages(${packages})` };
}

function fetchSnippet(target: SnippetTarget): Snippet {
  const code = `const token = globalThis.process?.env.TOKEN ?? prompt("Access token");
const response = await fetch(${quoteScript(presignUrl(target))}, {
  headers: { Authorization: \`Bearer \${token}\` },
});
if (!response.ok) throw new Error(\`\${response.status}: \${await response.text()}\`);
const bytes = await response.arrayBuffer();
console.log(bytes.byteLength, "bytes");
`;
  return {
    id: 'fetch',
    label: 'Browser: fetch',
    language: 'js',
    code,
    note: 'Asks for the token. Node.js takes it from TOKEN.',
  };
}

function zarrPython(target: SnippetTarget): Snippet {
  const code = `import json
import os
from urllib.parse import parse_qsl
from urllib.request import Request, urlopen

import zarr
from zarr.storage import FsspecStore

headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
link = json.load(urlopen(Request(${quotePython(signUrl(target))}, headers=headers)))
options = {"params": dict(parse_qsl(link["query"])), "encoded": True}
store = FsspecStore.from_url(link["resource"].removesuffix("*"), storage_options=options, read_only=True)
group = zarr.open_group(store, mode="r")
print(group.info)
`;
  const note = `${TOKEN_NOTE} pip install zarr fsspec aiohttp. One link opens all chunks; after an hour, ask for another.`;
  return { id: 'zarr-python', label: 'zarr-python', language: 'python', code, note };
}

function zarrita(target: SnippetTarget): Snippet {
  const code = `import * as zarr from "zarrita";

const token = globalThis.process?.env.TOKEN ?? prompt("Access token");
const response = await fetch(${quoteScript(signUrl(target))}, {
  headers: { Authorization: \`Bearer \${token}\` },
});
if (!response.ok) throw new Error(\`\${response.status}: \${await response.text()}\`);
const store = new zarr.FetchStore((await response.json()).signed_url);
const group = await zarr.open(store, { kind: "group" });
console.log(group.attrs);
`;
  return {
    id: 'zarrita',
    label: 'JavaScript: zarrita',
    language: 'js',
    code,
    note: 'npm install zarrita. Asks for the token; Node.js takes it from TOKEN.',
  };
}

function curlDirectory(target: SnippetTarget): Snippet {
  const code = `curl -sSf -H "Authorization: Bearer $TOKEN" ${quoteShell(signUrl(target))}
`;
  const note = `${TOKEN_NOTE} \`query\` in the answer opens everything beneath \`resource\`.`;
  return { id: 'curl', label: 'curl', language: 'sh', code, note };
}
