import { type Documentation, refusals } from '../http/documentation.ts';

const text = { type: 'string' };
const timestamp = { type: 'string', description: 'UTC, without a zone' };
const STORE = {
  type: 'object',
  properties: {
    created: timestamp,
    updated: timestamp,
    status: { type: 'string', enum: ['ACTIVE'] },
    name: text,
    global_default: { type: 'boolean' },
    crypto_plugin: { type: ['string', 'null'] },
    secret_store_plugin: text,
    secret_store_ref: { type: 'string', format: 'uri' },
  },
  required: ['name', 'global_default', 'secret_store_ref'],
};
const storeId = {
  type: 'object',
  properties: { storeId: { type: 'string', format: 'uuid' } },
  required: ['storeId'],
};
const tags = ['secret stores'];
const nothing = (description: string) => ({ description, type: 'null' });
const one = (description: string) => ({ 200: { description, ...STORE }, ...refusals(404, 406) });

/** The operations on secret stores as /openapi.json tells of them. */
export const storeDocumentation = {
  list: {
    tags,
    summary: 'List the secret stores; 404 on all of these where COFFER_STORES names none',
    response: {
      200: {
        description: 'All of them',
        type: 'object',
        properties: { secret_stores: { type: 'array', items: STORE } },
        required: ['secret_stores'],
      },
      ...refusals(404, 406),
    },
  },
  getDefault: { tags, summary: 'Show the default store', response: one('The first that is configured') },
  getPreferred: {
    tags,
    summary: 'Show the store that the project prefers',
    response: one('Where new secrets of the project go'),
  },
  get: { tags, summary: 'Show a store', params: storeId, response: one('The store') },
  prefer: {
    tags,
    summary: 'Have new secrets of the project go to a store',
    params: storeId,
    response: { 204: nothing('From now on'), ...refusals(404) },
  },
  removePreference: {
    tags,
    summary: 'Have new secrets of the project go to the default store',
    params: storeId,
    response: { 204: nothing('From now on'), ...refusals(404) },
  },
} as const satisfies Record<string, Documentation>;
