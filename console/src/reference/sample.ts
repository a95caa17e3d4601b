import { resolve, type ApiDocument, type Operation, type Schema } from './document';

const MAX_DEPTH = 6;

/** A value that a schema allows, made of its examples. */
export function sampleOf(document: ApiDocument, value: Schema | undefined, name = '', depth = 0): unknown {
  const schema = resolve<Schema>(document, value ?? {});
  if (schema.example !== undefined) return schema.example;
  if (schema.examples?.[0] !== undefined) return schema.examples[0];
  if (schema.enum?.[0] !== undefined) return schema.enum[0];
  const option = schema.oneOf?.find((candidate) => resolve<Schema>(document, candidate).type !== 'null');
  if (option) return sampleOf(document, option, name, depth);
  const type = Array.isArray(schema.type)
    ? schema.type.find((candidate) => candidate !== 'null')
    : schema.type;
  if (type === 'object' || schema.properties) return sampleObject(document, schema, depth);
  if (type === 'array') return depth > MAX_DEPTH ? [] : [sampleOf(document, schema.items, name, depth + 1)];
  return sampleScalar(type, name, schema);
}

function sampleObject(document: ApiDocument, schema: Schema, depth: number): unknown {
  if (depth > MAX_DEPTH) return {};
  const entries = Object.entries(schema.properties ?? {});
  return Object.fromEntries(
    entries.map(([key, property]) => [key, sampleOf(document, property, key, depth + 1)]),
  );
}

function sampleScalar(type: string | undefined, name: string, schema: Schema): unknown {
  if (type === 'integer' || type === 'number') return schema.minimum ?? 0;
  if (type === 'boolean') return false;
  if (name === 'next') return null;
  if (schema.format === 'date-time' || name.endsWith('_at')) return '2026-11-27T10:15:30Z';
  if (schema.format === 'uri') return 'https://…';
  return /^(id|nodeId|nodeIds)$/.test(name) ? 'N:package:032be5f6-8fb6-4b81-b783-615180ba7849' : '…';
}

/** What a successful response looks like: JSON, or null if it has no JSON body. */
export function sampleResponse(document: ApiDocument, operation: Operation): string | null {
  const success = operation.responses.find(({ status }) => status.startsWith('2'));
  const schema = success?.content['application/json']?.schema;
  return schema ? JSON.stringify(sampleOf(document, schema), null, 2) : null;
}
