import { type Documentation, refusals } from '../http/documentation.ts';

const timestamp = { type: 'string', description: 'UTC, without a zone' };
const users = { type: 'array', items: { type: 'string', maxLength: 255 } };
const projectAccess = { type: 'boolean', description: 'Whether the roles of its project reach it' };
const change = {
  type: 'object',
  properties: {
    read: {
      type: 'object',
      properties: { users, 'project-access': projectAccess },
      additionalProperties: false,
    },
  },
  additionalProperties: false,
};
const reference = {
  type: 'object',
  properties: { acl_ref: { type: 'string', format: 'uri' } },
  required: ['acl_ref'],
};

type Operation = 'get' | 'replace' | 'merge' | 'remove';

/** The operations on the ACLs of a collection as /openapi.json tells of them. */
export function documentAcl(collection: string, parameter: string): Record<Operation, Documentation> {
  const noun = collection.slice(0, -1);
  const common = {
    tags: ['ACLs'],
    params: {
      type: 'object',
      properties: { [parameter]: { type: 'string', format: 'uuid' } },
      required: [parameter],
    },
  };
  return {
    get: {
      ...common,
      summary: `Show who may read a ${noun}`,
      response: {
        200: {
          description: 'The default has neither users nor dates',
          type: 'object',
          properties: {
            read: {
              type: 'object',
              properties: { 'project-access': projectAccess, users, created: timestamp, updated: timestamp },
              required: ['project-access'],
            },
          },
          required: ['read'],
        },
        ...refusals(404, 406),
      },
    },
    replace: {
      ...common,
      summary: `Say anew who may read a ${noun}; an empty body takes all users away, and opens nothing`,
      body: change,
      response: { 200: { description: 'Replaced', ...reference }, ...refusals(400, 404, 415) },
    },
    merge: {
      ...common,
      summary: `Change who may read a ${noun}: what is not said stays`,
      body: change,
      response: { 200: { description: 'Changed', ...reference }, ...refusals(400, 404, 415) },
    },
    remove: {
      ...common,
      summary: `Go back to the default: whoever reads the ${collection} of its project`,
      response: { 200: { description: 'Removed, or was not there', type: 'null' }, ...refusals(404) },
    },
  };
}
