import { describeObject, type Documentation, refusals } from '../http/documentation.ts';
import { CONTAINER_SECRET, CONTAINER_TYPES, NEW_CONTAINER } from './schema.ts';

const text = { type: 'string' };
const textOrNull = { type: ['string', 'null'] };
const uri = { type: 'string', format: 'uri' };
const timestamp = { type: 'string', description: 'UTC, without a zone' };
const containerId = {
  type: 'object',
  properties: { containerId: { type: 'string', format: 'uuid' } },
  required: ['containerId'],
};
const nothing = (description: string) => ({ description, type: 'null' });
const tags = ['containers'];

const CONTAINER = {
  type: 'object',
  properties: {
    created: timestamp,
    updated: timestamp,
    status: { type: 'string', enum: ['ACTIVE'] },
    name: textOrNull,
    type: { type: 'string', enum: [...CONTAINER_TYPES, 'dsa'], description: 'dsa: made by an order' },
    creator_id: textOrNull,
    secret_refs: {
      type: 'array',
      description: 'Without those of deleted secrets; expired ones stay',
      items: { type: 'object', properties: { name: textOrNull, secret_ref: uri } },
    },
    consumers: { type: 'array', items: { type: 'object', properties: { name: text, URL: text } } },
    container_ref: uri,
  },
} as const;

const reference = {
  type: 'object',
  properties: { container_ref: CONTAINER.properties.container_ref },
  required: ['container_ref'],
};

/** The operations on containers as /openapi.json tells of them; each is the `schema` of its route. */
export const containerDocumentation = {
  create: {
    tags,
    summary: 'Put secrets together in a container',
    body: describeObject(NEW_CONTAINER),
    response: { 201: { description: 'Made', ...reference }, ...refusals(400, 404, 415) },
  },
  list: {
    tags,
    summary: 'List the containers of the project',
    querystring: {
      type: 'object',
      properties: {
        limit: { ...text, description: '1 to 100' },
        offset: text,
        name: { ...text, description: 'The name; % and _ are wildcards' },
        type: text,
      },
    },
    response: {
      200: {
        description: 'A page; previous and next are there when there are such pages',
        type: 'object',
        properties: {
          containers: { type: 'array', items: CONTAINER },
          previous: text,
          next: text,
          total: { type: 'integer' },
        },
        required: ['containers', 'total'],
      },
      ...refusals(400, 406),
    },
  },
  get: {
    tags,
    summary: 'Show a container',
    params: containerId,
    response: { 200: { description: 'The container', ...CONTAINER }, ...refusals(404, 406) },
  },
  remove: {
    tags,
    summary: 'Delete a container; its secrets stay',
    params: containerId,
    response: { 204: nothing('Deleted'), ...refusals(404) },
  },
  addSecret: {
    tags,
    summary: 'Add a secret to a generic container',
    params: containerId,
    body: describeObject(CONTAINER_SECRET),
    response: { 201: { description: 'Added', ...reference }, ...refusals(400, 404, 409, 415) },
  },
  removeSecret: {
    tags,
    summary: 'Take a secret out of a container',
    params: containerId,
    body: describeObject(CONTAINER_SECRET),
    response: { 204: nothing('Not in it any more'), ...refusals(400, 404) },
  },
} as const satisfies Record<string, Documentation>;
