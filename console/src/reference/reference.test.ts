import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { listOperations, resolve, typeText, type ApiDocument, type Operation } from './document';
import { addressOf, curlOf, headersOf, quote } from './request';
import { sampleOf, sampleResponse } from './sample';

const document: ApiDocument = {
  info: { title: 'test', version: '1' },
  paths: {
    '/things/{name}': {
      get: {
        operationId: 'getThing',
        security: [{ bearer: [] }],
        parameters: [
          { $ref: '#/components/parameters/dataset_id' },
          { name: 'name', in: 'path', required: true },
          { name: 'Range', in: 'header' },
        ],
        responses: {
          '200': {
            description: 'It',
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } },
          },
          '404': { $ref: '#/components/responses/NotFound' },
        },
      },
      options: { operationId: 'preflight' },
    },
    '/restore': {
      post: { operationId: 'restore', security: [{}], requestBody: { content: { 'application/json': {} } } },
    },
    '/health': { get: { operationId: 'health', security: [] } },
  },
  components: {
    parameters: {
      dataset_id: { name: 'dataset_id', in: 'query', required: true, schema: { type: 'string' } },
    },
    responses: { NotFound: { description: 'Nothing' } },
    schemas: {
      Thing: {
        type: 'object',
        properties: {
          id: { type: 'string' },
          size: { type: ['integer', 'null'], minimum: 3 },
          kind: { oneOf: [{ type: 'null' }, { type: 'string', enum: ['CSV'] }] },
          parts: { type: 'array', items: { $ref: '#/components/schemas/Thing' } },
        },
      },
    },
  },
};

function find(id: string): Operation {
  const operation = listOperations(document).find((candidate) => candidate.id === id);
  if (!operation) throw new Error(id);
  return operation;
}

describe('document', () => {
  it('has all operations but preflights, with what they refer to', () => {
    expect(listOperations(document).map(({ id }) => id)).toEqual(['getThing', 'restore', 'health']);
    const thing = find('getThing');
    expect(thing.parameters.map(({ name, in: place }) => [name, place])).toEqual([
      ['dataset_id', 'query'],
      ['name', 'path'],
      ['Range', 'header'],
    ]);
    expect(thing.responses[1]).toMatchObject({ status: '404', description: 'Nothing' });
  });

  it('says who may', () => {
    expect(find('getThing').permission).toMatch(/^ViewFiles/);
    expect(find('restore').permission).toMatch(/^CreateDeleteFiles/);
    expect(find('health').permission).toBe('Nobody has to be signed in');
  });

  it('what stands beside a reference counts before it', () => {
    const value = { $ref: '#/components/responses/NotFound', description: 'Other' };
    expect(resolve(document, value)).toEqual({ description: 'Other' });
  });

  it('tells types in words', () => {
    expect(typeText(document, { type: 'integer', minimum: 1, maximum: 9 })).toBe('integer, 1 to 9');
    expect(typeText(document, { enum: ['a', 'b'] })).toBe('"a" or "b"');
    expect(typeText(document, { type: ['array', 'null'], items: { type: 'string' } })).toBe(
      'array of string or null',
    );
  });
});

describe('samples', () => {
  it('are what the schema allows, and end', () => {
    const sample = sampleOf(document, { $ref: '#/components/schemas/Thing' }) as Record<string, unknown>;
    expect(sample).toMatchObject({ size: 3, kind: 'CSV' });
    expect(sample.id).toMatch(/^N:package:/);
    expect(JSON.stringify(sample).length).toBeLessThan(2000);
    expect(sampleResponse(document, find('restore'))).toBeNull();
  });
});

describe('requests', () => {
  const filled = { values: { dataset_id: 'N:dataset:1', name: 'a b/c.csv', Range: 'bytes=0-9' }, body: '' };

  it('have their parameters where they belong', () => {
    const address = addressOf('http://localhost/packages', find('getThing'), filled);
    expect(address).toBe('http://localhost/packages/things/a%20b%2Fc.csv?dataset_id=N:dataset:1');
    expect(headersOf(find('getThing'), filled)).toEqual({ Range: 'bytes=0-9' });
  });

  it('curl: without the token itself, and safe in a shell', () => {
    const curl = curlOf('http://localhost', find('restore'), {
      values: {},
      body: '{ "nodeIds": ["it\'s"] }',
    });
    expect(curl).toContain('-H "Authorization: Bearer $TOKEN"');
    expect(curl).toContain(`-d '{"nodeIds":["it'\\''s"]}'`);
    expect(quote("$(reboot) 'x'")).toBe("'$(reboot) '\\''x'\\'''");
  });
});

describe("the service's own document", () => {
  // YAML: only what can be told without a parser. The browser's tests read the JSON.
  const yaml = readFileSync(new URL('../../../docs/openapi.yaml', import.meta.url), 'utf8');

  it('refers only to what is beneath it', () => {
    const references = [...yaml.matchAll(/\$ref: '([^']+)'/g)].map(([, target]) => target);
    expect(references.length).toBeGreaterThan(50);
    expect(references.every((target) => target?.startsWith('#/components/'))).toBe(true);
  });
});
