import type { Operation } from './document';

/** What to send: a value for each parameter by its name, and a body. Empty values are not sent. */
export interface Filled {
  values: Record<string, string>;
  body: string;
}

/** The address of a request. `base` is the API's own, such as `http://127.0.0.1:8080/packages`. */
export function addressOf(base: string, operation: Operation, { values }: Filled): string {
  const query = new URLSearchParams();
  let path = operation.path;
  for (const parameter of operation.parameters) {
    const value = values[parameter.name] ?? '';
    if (parameter.in === 'path') path = path.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (parameter.in === 'query' && value !== '') query.set(parameter.name, value);
  }
  // As node ids are written: a query may have colons as they are (RFC 3986, section 3.4).
  const text = query.toString().replaceAll('%3A', ':');
  return base + path + (text ? `?${text}` : '');
}

export function headersOf(operation: Operation, { values }: Filled): Record<string, string> {
  const headers = operation.parameters.filter(({ in: place, name }) => place === 'header' && values[name]);
  return Object.fromEntries(headers.map(({ name }) => [name, values[name] ?? '']));
}

/** The same request for a shell, where the variable TOKEN has the token. */
export function curlOf(base: string, operation: Operation, filled: Filled): string {
  const lines = [`curl ${optionsOf(operation)}${quote(addressOf(base, operation, filled))}`];
  if (operation.needsToken) lines.push('-H "Authorization: Bearer $TOKEN"');
  for (const [name, value] of Object.entries(headersOf(operation, filled)))
    lines.push(`-H ${quote(`${name}: ${value}`)}`);
  if (operation.body) lines.push("-H 'Content-Type: application/json'", `-d ${quote(compact(filled.body))}`);
  return lines.join(' \\\n  ');
}

function optionsOf(operation: Operation): string {
  return operation.method === 'HEAD' ? '-I ' : '';
}

/** For a POSIX shell: nothing between single quotes is special. */
export function quote(text: string): string {
  return `'${text.replace(/'/g, "'\\''")}'`;
}

function compact(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body));
  } catch {
    return body;
  }
}
