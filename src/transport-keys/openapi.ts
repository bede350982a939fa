import { describeObject, type Documentation, refusals } from '../http/documentation.ts';
import { TRANSPORT_KEY } from './schema.ts';

const text = { type: 'string' };
const reference = { type: 'string', format: 'uri' };
const time = { type: 'string', examples: ['2026-11-21 02:19:59.931000'] };
const transportKeyId = {
  type: 'object',
  properties: { transportKeyId: { type: 'string', format: 'uuid' } },
  required: ['transportKeyId'],
};
const tags = ['transport keys'];

/** The operations on transport keys as /openapi.json tells of them. */
export const transportKeyDocumentation = {
  list: {
    tags,
    summary: 'List the transport keys; no secret can use one',
    querystring: {
      type: 'object',
      properties: { plugin_name: text, limit: { ...text, description: '1 to 100' }, offset: text },
    },
    response: {
      200: {
        description: 'A page; previous and next are there when there are such pages',
        type: 'object',
        properties: {
          transport_keys: { type: 'array', items: reference },
          previous: text,
          next: text,
          total: { type: 'integer' },
        },
        required: ['transport_keys', 'total'],
      },
      ...refusals(406),
    },
  },
  create: {
    tags,
    summary: 'Store a transport key',
    body: describeObject(TRANSPORT_KEY),
    response: {
      201: {
        description: 'Stored',
        type: 'object',
        properties: { transport_key_ref: reference },
        required: ['transport_key_ref'],
      },
      ...refusals(400, 415),
    },
  },
  get: {
    tags,
    summary: 'Show a transport key',
    params: transportKeyId,
    response: {
      200: {
        description: 'The key',
        type: 'object',
        properties: {
          id: { type: 'string', format: 'uuid' },
          plugin_name: text,
          transport_key: text,
          status: { type: 'string', enum: ['ACTIVE'] },
          deleted: { type: 'boolean' },
          created_at: time,
          updated_at: time,
          deleted_at: { type: 'null' },
        },
        required: ['id', 'plugin_name', 'transport_key'],
      },
      ...refusals(404, 406),
    },
  },
  remove: {
    tags,
    summary: 'Delete a transport key',
    params: transportKeyId,
    response: { 204: { description: 'Deleted', type: 'null' }, ...refusals(404) },
  },
} as const satisfies Record<string, Documentation>;
