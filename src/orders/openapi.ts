import { describeObject, type Documentation, refusals } from '../http/documentation.ts';
import { NEW_ORDER } from './schema.ts';

const text = { type: 'string' };
const textOrNull = { type: ['string', 'null'] };
const timestamp = { type: 'string', description: 'UTC, without a zone' };
const reference = { type: 'string', format: 'uri' };
const orderId = {
  type: 'object',
  properties: { orderId: text },
  required: ['orderId'],
};

const ORDER = {
  type: 'object',
  properties: {
    created: timestamp,
    updated: timestamp,
    status: { type: 'string', enum: ['PENDING', 'ACTIVE', 'ERROR'] },
    type: NEW_ORDER.properties.type?.oneOf && { type: 'string', enum: NEW_ORDER.properties.type.oneOf },
    meta: { type: 'object', description: 'As it was sent, without a passphrase' },
    sub_status: text,
    sub_status_message: text,
    creator_id: textOrNull,
    error_status_code: { ...text, description: 'Of an order that ended in ERROR' },
    error_reason: text,
    secret_ref: { ...reference, description: 'What a key order made' },
    container_ref: { ...reference, description: 'What an asymmetric order made' },
    order_ref: reference,
  },
};

const tags = ['orders'];

/** The operations on orders as /openapi.json tells of them; each is the `schema` of its route. */
export const orderDocumentation = {
  create: {
    tags,
    summary: 'Order a key, or a pair of keys',
    description:
      'key: aes, des, hmacsha1, hmacsha256, hmacsha384 or hmacsha512 of 64, 128, 192 or 256 bits, twice that ' +
      'in mode xts. asymmetric: rsa or dsa of 1024, 2048 or 4096 bits, ec of 256 or 384, ed25519 of 256; ' +
      'passphrase (or pass_phrase) encrypts the private key.',
    body: describeObject(NEW_ORDER),
    response: {
      202: {
        description: 'Accepted',
        type: 'object',
        properties: { order_ref: reference },
        required: ['order_ref'],
      },
      ...refusals(400, 413, 415),
    },
  },
  list: {
    tags,
    summary: 'List the orders of the project',
    querystring: {
      type: 'object',
      properties: {
        limit: { ...text, description: '1 to 100' },
        offset: text,
        meta: { ...text, description: 'A part of the JSON of meta; % and _ are wildcards' },
      },
    },
    response: {
      200: {
        description: 'A page; previous and next are there when there are such pages',
        type: 'object',
        properties: {
          orders: { type: 'array', items: ORDER },
          previous: text,
          next: text,
          total: { type: 'integer' },
        },
        required: ['orders', 'total'],
      },
      ...refusals(406),
    },
  },
  update: {
    tags,
    summary: 'Refused: an order cannot be changed',
    response: refusals(405, 406),
  },
  get: {
    tags,
    summary: 'Describe an order',
    params: orderId,
    response: { 200: { description: 'The order', ...ORDER }, ...refusals(404, 406) },
  },
  remove: {
    tags,
    summary: 'Delete an order; what it made stays',
    params: orderId,
    response: { 204: { description: 'Deleted', type: 'null' }, ...refusals(404) },
  },
} as const satisfies Record<string, Documentation>;
