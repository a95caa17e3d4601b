/** The parts of an OpenAPI 3.1 document that the reference shows. */
export interface ApiDocument {
  info: { title: string; version: string; description?: string };
  servers?: { url: string }[];
  tags?: { name: string; description?: string }[];
  paths: Record<string, Record<string, RawOperation>>;
  components?: Record<string, Record<string, unknown>>;
}

export interface RawOperation {
  operationId: string;
  summary?: string;
  description?: string;
  tags?: string[];
  parameters?: unknown[];
  requestBody?: unknown;
  responses?: Record<string, unknown>;
  security?: unknown[];
  'x-permission'?: string;
}

export interface Schema {
  $ref?: string;
  type?: string | string[];
  description?: string;
  enum?: unknown[];
  example?: unknown;
  examples?: unknown[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  oneOf?: Schema[];
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  format?: string;
}

export interface Parameter {
  name: string;
  in: 'query' | 'path' | 'header';
  description?: string;
  required?: boolean;
  schema?: Schema;
}

export interface ResponseDescription {
  status: string;
  description: string;
  /** By media type. */
  content: Record<string, { schema?: Schema }>;
}

export interface Operation {
  id: string;
  method: string;
  path: string;
  tag: string;
  summary: string;
  description: string;
  /** What the caller has to be. */
  permission: string;
  needsToken: boolean;
  parameters: Parameter[];
  body: { description?: string; schema?: Schema } | null;
  responses: ResponseDescription[];
}

/** Follows `$ref`s within the document. What stands beside a reference, such as another description, counts before it. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller knows what is there
export function resolve<T>(document: ApiDocument, value: unknown): T {
  let current = value;
  // A document that refers in circles is not shown for ever.
  for (let depth = 0; depth < 10; depth += 1) {
    const reference = (current as { $ref?: string } | undefined)?.$ref;
    if (!reference?.startsWith('#/')) break;
    const target = reference
      .slice(2)
      .split('/')
      .reduce<unknown>(
        (parent, key) => (parent as Record<string, unknown> | undefined)?.[unescape(key)],
        document,
      );
    const { $ref: next } = (target ?? {}) as { $ref?: string };
    current = { ...(target as object | undefined), ...(current as object), $ref: next };
  }
  return current as T;
}

// RFC 6901, section 4.
function unescape(key: string): string {
  return key.replace(/~1/g, '/').replace(/~0/g, '~');
}

/** All operations, as the document has them. Preflights are left out: browsers send them by themselves. */
export function listOperations(document: ApiDocument): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method, raw]) => method !== 'options' && 'operationId' in raw)
      .map(([method, raw]) => readOperation(document, path, method, raw)),
  );
}

function readOperation(document: ApiDocument, path: string, method: string, raw: RawOperation): Operation {
  const parameters = (raw.parameters ?? []).map((parameter) => resolve<Parameter>(document, parameter));
  const body = raw.requestBody
    ? resolve<{ description?: string; content: Record<string, { schema?: Schema }> }>(
        document,
        raw.requestBody,
      )
    : null;
  const needsToken = (raw.security ?? []).length > 0;
  return {
    id: raw.operationId,
    method: method.toUpperCase(),
    path,
    tag: raw.tags?.[0] ?? '',
    summary: raw.summary ?? '',
    description: raw.description ?? '',
    permission: raw['x-permission'] ?? permissionOf(path, method, needsToken, parameters),
    needsToken,
    parameters,
    body: body ? { description: body.description, schema: Object.values(body.content)[0]?.schema } : null,
    responses: Object.entries(raw.responses ?? {}).map(([status, response]) => {
      const { description = '', content = {} } = resolve<Partial<ResponseDescription>>(document, response);
      return { status, description, content };
    }),
  };
}

/** docs/api.md, "Who may". */
function permissionOf(path: string, method: string, needsToken: boolean, parameters: Parameter[]): string {
  if (!needsToken) return 'Nobody has to be signed in';
  if (path === '/restore' && method === 'post') return 'CreateDeleteFiles: editors and up';
  const inDataset = parameters.some(({ name }) => name === 'dataset_id');
  return inDataset || path === '/download-manifest' ? 'ViewFiles: viewers and up' : 'Whoever has a token';
}

/** The type in words, such as `string, at most 255 characters`. */
export function typeText(document: ApiDocument, value: Schema | undefined): string {
  const schema = resolve<Schema>(document, value ?? {});
  if (schema.enum) return schema.enum.map((option) => JSON.stringify(option)).join(' or ');
  if (schema.oneOf) return schema.oneOf.map((option) => typeText(document, option)).join(', or ');
  const types = Array.isArray(schema.type) ? schema.type : [schema.type ?? 'any'];
  const text = types
    .map((type) => (type === 'array' ? `array of ${typeText(document, schema.items)}` : type))
    .join(' or ');
  const limits = [
    schema.format === 'date-time' ? 'RFC 3339' : '',
    schema.minimum !== undefined && schema.maximum !== undefined
      ? `${schema.minimum} to ${schema.maximum}`
      : '',
    schema.maxLength !== undefined ? `at most ${schema.maxLength} characters` : '',
  ].filter(Boolean);
  return [text, ...limits].join(', ');
}
