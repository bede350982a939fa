import { describeObject, type Documentation, refusals } from '../http/documentation.ts';
import type { ConsumerKind } from './record.ts';

const text = { type: 'string' };
const PAGE = {
  type: 'object',
  properties: { limit: { ...text, description: '1 to 100' }, offset: text },
};
const timestamp = { type: 'string', description: 'UTC, without a zone' };

type Operation = 'list' | 'add' | 'remove' | 'getOne';

/** The operations on consumers of a collection as /openapi.json tells of them. */
export function documentConsumers(
  { schema, columns }: ConsumerKind,
  collection: string,
  parameter: string,
): Record<Operation, Documentation> {
  const noun = collection.slice(0, -1);
  const fields = Object.fromEntries(columns.map(([field]) => [field, text]));
  const pathOf = (...names: string[]) => ({
    type: 'object',
    properties: Object.fromEntries(names.map((name) => [name, { type: 'string', format: 'uuid' }])),
    required: names,
  });
  const common = { tags: ['consumers'], params: pathOf(parameter) };
  const parent = {
    type: 'object',
    properties: { consumers: { type: 'array', items: { type: 'object', properties: fields } } },
  };
  return {
    list: {
      ...common,
      summary: `List who uses a ${noun}`,
      querystring: PAGE,
      response: { 200: documentPage(fields), ...refusals(404, 406) },
    },
    add: {
      ...common,
      summary: `Register who uses a ${noun}; once, however often`,
      body: describeObject(schema),
      response: { 200: { description: `The ${noun}`, ...parent }, ...refusals(400, 404, 406, 415) },
    },
    remove: {
      ...common,
      summary: `Remove who used a ${noun}`,
      body: describeObject(schema),
      response: { 200: { description: `The ${noun}`, ...parent }, ...refusals(400, 404, 406, 415) },
    },
    getOne: {
      ...common,
      params: pathOf(parameter, 'consumerId'),
      summary: 'Not found: the ids of consumers are not shown',
      response: refusals(404, 406),
    },
  };
}

function documentPage(fields: Documentation): Documentation {
  const consumer = { created: timestamp, updated: timestamp, status: text, ...fields };
  return {
    description: 'A page; previous and next are there when there are such pages',
    type: 'object',
    properties: {
      consumers: { type: 'array', items: { type: 'object', properties: consumer } },
      previous: text,
      next: text,
      total: { type: 'integer' },
    },
    required: ['consumers', 'total'],
  };
}
