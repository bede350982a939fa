import { describeObject, type Documentation, refusals } from '../http/documentation.ts';
import { SORT_KEYS } from './list-filter.ts';
import { METADATUM, WHOLE_METADATA } from './metadata.ts';
import { NEW_SECRET, SECRET_TYPES } from './schema.ts';

const text = { type: 'string' };
const textOrNull = { type: ['string', 'null'] };
const timestamp = {
  type: 'string',
  description: 'UTC, without a zone',
  examples: ['2026-11-21T02:12:32.337000'],
};
const secretId = {
  type: 'object',
  properties: { secretId: { type: 'string', format: 'uuid' } },
  required: ['secretId'],
};
const secretIdAndKey = {
  type: 'object',
  properties: { ...secretId.properties, key: { ...text, description: 'In lower case' } },
  required: ['secretId', 'key'],
};
const nothing = (description: string) => ({ description, type: 'null' });
const binary = { schema: { type: 'string', format: 'binary' } };

const SECRET = {
  type: 'object',
  properties: {
    created: timestamp,
    updated: timestamp,
    status: { type: 'string', enum: ['ACTIVE'] },
    name: textOrNull,
    secret_type: { type: 'string', enum: SECRET_TYPES },
    expiration: { ...timestamp, type: ['string', 'null'] },
    algorithm: textOrNull,
    bit_length: { type: ['integer', 'null'] },
    mode: textOrNull,
    creator_id: textOrNull,
    consumers: {
      type: 'array',
      description: 'From version 1.1 on',
      items: { type: 'object', properties: { service: text, resource_type: text, resource_id: text } },
    },
    content_types: {
      type: 'object',
      description: 'Absent while there is no payload',
      properties: {
        default: { type: 'string', enum: ['text/plain', 'application/octet-stream', 'application/pkcs8'] },
      },
    },
    secret_ref: { type: 'string', format: 'uri' },
  },
} as const;

const pattern = (what: string) => ({ ...text, description: `${what}; % and _ are wildcards` });
const bounds = { ...text, description: 'A date, or a list of gt:, gte:, lt: and lte: with a date each' };

const LIST_QUERY = {
  type: 'object',
  properties: {
    limit: { ...text, description: '1 to 100' },
    offset: text,
    name: pattern('The name'),
    alg: pattern('The algorithm'),
    mode: pattern('The mode'),
    bits: { ...text, description: 'The bit length; ignored when it is no number above 0' },
    secret_type: text,
    acl_only: { ...text, description: 'true: secrets of any project whose ACL names the caller' },
    created: bounds,
    updated: bounds,
    expiration: bounds,
    sort: { ...text, description: `A list of key or key:desc, of ${SORT_KEYS.join(', ')}` },
  },
};

const secretReference = {
  type: 'object',
  properties: { secret_ref: SECRET.properties.secret_ref },
  required: ['secret_ref'],
};
const metadatum = { type: 'object', properties: { key: text, value: text }, required: ['key', 'value'] };
const tags = ['secrets'];
const metadataTags = ['user metadata'];

/** The operations on secrets as /openapi.json tells of them; each is the `schema` of its route. */
export const secretDocumentation = {
  create: {
    tags,
    summary: 'Store a secret, with its payload or without',
    body: describeObject(NEW_SECRET),
    response: { 201: { description: 'Stored', ...secretReference }, ...refusals(400, 413, 415) },
  },
  list: {
    tags,
    summary: 'List the secrets of the project',
    querystring: LIST_QUERY,
    response: {
      200: {
        description: 'A page; previous and next are there when there are such pages',
        type: 'object',
        properties: {
          secrets: { type: 'array', items: SECRET },
          previous: text,
          next: text,
          total: { type: 'integer' },
        },
        required: ['secrets', 'total'],
      },
      ...refusals(400, 406),
    },
  },
  get: {
    tags,
    summary: 'Describe a secret',
    description: 'An Accept header of one type that is not JSON asks for the payload instead: deprecated.',
    params: secretId,
    response: { 200: { description: 'The secret without its payload', ...SECRET }, ...refusals(404, 406) },
  },
  payload: {
    tags,
    summary: 'Fetch the payload',
    params: secretId,
    response: {
      200: {
        description: 'The bytes as they were stored, under the type that Accept asks for',
        content: {
          'application/octet-stream': binary,
          'application/pkcs8': binary,
          'text/plain': { schema: text },
        },
      },
      ...refusals(400, 404, 406),
    },
  },
  upload: {
    tags,
    summary: 'Give a secret its payload, once',
    params: secretId,
    body: { content: { 'application/octet-stream': binary, 'text/plain': { schema: text } } },
    response: { 204: nothing('Stored'), ...refusals(400, 404, 409, 413, 415) },
  },
  remove: {
    tags,
    summary: 'Delete a secret for good',
    params: secretId,
    querystring: {
      type: 'object',
      properties: {
        force: { ...text, description: 'From version 1.2 on: true, also when it has consumers' },
      },
    },
    response: { 204: nothing('Deleted'), ...refusals(400, 404) },
  },
} as const satisfies Record<string, Documentation>;

/** The same for the user metadata of a secret. */
export const metadataDocumentation = {
  get: {
    tags: metadataTags,
    summary: 'Show all user metadata of a secret',
    params: secretId,
    response: {
      200: {
        description: 'Keys are in lower case',
        type: 'object',
        properties: { metadata: { type: 'object', additionalProperties: text } },
        required: ['metadata'],
      },
      ...refusals(404, 406),
    },
  },
  replace: {
    tags: metadataTags,
    summary: 'Replace all user metadata of a secret',
    params: secretId,
    body: describeObject(WHOLE_METADATA),
    response: {
      201: {
        description: 'Replaced',
        type: 'object',
        properties: { metadata_ref: { type: 'string', format: 'uri' } },
        required: ['metadata_ref'],
      },
      ...refusals(400, 404, 415),
    },
  },
  add: {
    tags: metadataTags,
    summary: 'Add an item',
    params: secretId,
    body: describeObject(METADATUM),
    response: { 201: { description: 'Added', ...metadatum }, ...refusals(400, 404, 409, 415) },
  },
  getOne: {
    tags: metadataTags,
    summary: 'Show an item',
    params: secretIdAndKey,
    response: { 200: { description: 'The item', ...metadatum }, ...refusals(404, 406) },
  },
  changeOne: {
    tags: metadataTags,
    summary: 'Change an item',
    params: secretIdAndKey,
    body: describeObject(METADATUM),
    response: { 200: { description: 'Changed', ...metadatum }, ...refusals(400, 404, 409, 415) },
  },
  removeOne: {
    tags: metadataTags,
    summary: 'Remove an item; it may be gone already',
    params: secretIdAndKey,
    response: { 204: nothing('Not there any more'), ...refusals(404) },
  },
} as const satisfies Record<string, Documentation>;
