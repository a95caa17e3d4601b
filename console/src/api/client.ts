import { currentSettings } from '../settings';
import { session, signOut } from '../session';
import { ApiError, parseProblem, unreachable } from './problem';

export type Query = Record<string, string | number | boolean | null | undefined>;

export interface RequestOptions {
  query?: Query;
  method?: 'GET' | 'POST';
  /** Sent as JSON. */
  body?: unknown;
  signal?: AbortSignal | undefined;
  /** In milliseconds. The service itself gives up after 29 seconds. */
  timeout?: number;
  headers?: Record<string, string>;
}

const TIMEOUT = 31_000;

/** A request to the API as the person who is signed in. `path` is beneath the API's own, such as `/trash`. */
export async function requestApi<T>(path: string, options: RequestOptions = {}): Promise<T> {
  const token = session.value?.token;
  const headers = { ...(token ? { authorization: `Bearer ${token}` } : {}), ...options.headers };
  try {
    return await requestJson<T>(currentSettings().api + path, { ...options, headers });
  } catch (error) {
    // Another person may have signed in meanwhile: only the refused token ends.
    if (error instanceof ApiError && error.status === 401 && token === session.value?.token)
      signOut(`Your session has ended: ${error.detail || error.title}.`);
    throw error;
  }
}

/** A request to the console's own routes. */
export async function requestJson<T>(path: string, options: RequestOptions = {}): Promise<T> {
  const response = await send(path, options);
  const body = await readBody(response);
  if (!response.ok) throw new ApiError(parseProblem(response.status, response.headers, body));
  return JSON.parse(body) as T;
}

async function send(path: string, options: RequestOptions): Promise<Response> {
  const limits = [
    AbortSignal.timeout(options.timeout ?? TIMEOUT),
    ...(options.signal ? [options.signal] : []),
  ];
  const hasBody = options.body !== undefined;
  try {
    return await fetch(path + encodeQuery(options.query ?? {}), {
      method: options.method ?? 'GET',
      headers: {
        accept: 'application/json',
        ...(hasBody ? { 'content-type': 'application/json' } : {}),
        ...options.headers,
      },
      signal: AbortSignal.any(limits),
      credentials: 'same-origin',
      ...(hasBody ? { body: JSON.stringify(options.body) } : {}),
    });
  } catch (error) {
    throw options.signal?.aborted ? error : unreachable(error);
  }
}

async function readBody(response: Response): Promise<string> {
  try {
    return await response.text();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw unreachable(error);
  }
}

/** `?a=1&b=2`, or nothing. Absent values are left out. */
export function encodeQuery(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text ? `?${text}` : '';
}

/** Whether a request ended because the page that made it is gone. */
export function wasAborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}
