/** The body of an error response (RFC 9457), as far as a page needs it. */
export interface Problem {
  status: number;
  title: string;
  detail: string;
  /** The kind of problem, for programs: `urn:packages-service:problem:…`, or empty. */
  type: string;
  requestId: string | null;
  /** In seconds, if the service says how long to wait. */
  retryAfter: number | null;
}

export class ApiError extends Error implements Problem {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly type: string;
  readonly requestId: string | null;
  readonly retryAfter: number | null;

  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.name = 'ApiError';
    this.status = problem.status;
    this.title = problem.title;
    this.detail = problem.detail;
    this.type = problem.type;
    this.requestId = problem.requestId;
    this.retryAfter = problem.retryAfter;
  }

  /** The last part of `type`, such as `no-such-package`. */
  get kind(): string {
    return this.type.split(':').at(-1) ?? '';
  }
}

/**
 * The problem of a response that is not a success. API Gateway answers some requests itself, with `message` only and its id in
 * `Apigw-Requestid`.
 */
export function parseProblem(status: number, headers: Headers, body: string): Problem {
  const fields = parseObject(body);
  const retryAfter = Number.parseInt(headers.get('retry-after') ?? '', 10);
  return {
    status,
    title: text(fields.title) ?? titleOf(status),
    detail: text(fields.detail) ?? text(fields.message) ?? '',
    type: text(fields.type) ?? '',
    requestId: text(fields.requestId) ?? headers.get('x-request-id') ?? headers.get('apigw-requestid'),
    retryAfter: Number.isFinite(retryAfter) ? retryAfter : null,
  };
}

/** A request that got no response: `cause` is what `fetch` threw. */
export function unreachable(cause: unknown): ApiError {
  const timedOut = cause instanceof DOMException && cause.name === 'TimeoutError';
  return timedOut
    ? localError('The service did not answer in time', 'It may be busy. Try again.')
    : localError('The service cannot be reached', 'Is it running, and is this computer online?');
}

/** An error that no response of the service told. */
export function localError(title: string, detail: string): ApiError {
  return new ApiError({ status: 0, title, detail, type: '', requestId: null, retryAfter: null });
}

/** The members of an object in JSON; none if the text is not one. */
export function parseObject(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function titleOf(status: number): string {
  if (status === 401) return 'Authentication is required';
  if (status === 403) return 'You may not do this';
  if (status === 404) return 'Nothing is here';
  if (status === 429) return 'Too many requests';
  return status >= 500 ? 'The service failed' : 'The request was refused';
}
