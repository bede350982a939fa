import { describeObject, type Documentation, refusals } from '../http/documentation.ts';
import { LIMITED } from './record.ts';
import { LIMITS } from './schema.ts';

const limits = (types: readonly string[]) => ({
  type: 'object',
  properties: Object.fromEntries(LIMITED.map((name) => [name, { type: types }])),
  required: LIMITED,
});
const PROJECT_QUOTAS = {
  ...limits(['integer', 'null']),
  description: 'null takes the default; below 0 is no limit',
};
const projectId = {
  type: 'object',
  properties: { projectId: { type: 'string' } },
  required: ['projectId'],
};
const text = { type: 'string' };
const tags = ['quotas'];
const nothing = (description: string) => ({ description, type: 'null' });

/** The operations on quotas as /openapi.json tells of them. */
export const quotaDocumentation = {
  effective: {
    tags,
    summary: 'Show the limits that hold in the project',
    response: {
      200: {
        description: 'Below 0 is no limit',
        type: 'object',
        properties: { quotas: limits(['integer']) },
        required: ['quotas'],
      },
      ...refusals(406),
    },
  },
  list: {
    tags,
    summary: 'List the projects that have limits of their own',
    querystring: {
      type: 'object',
      properties: { limit: { ...text, description: '1 to 100' }, offset: text },
    },
    response: {
      200: {
        description: 'A page; previous and next are there when there are such pages',
        type: 'object',
        properties: {
          project_quotas: {
            type: 'array',
            items: {
              type: 'object',
              properties: { project_id: text, project_quotas: PROJECT_QUOTAS },
              required: ['project_id', 'project_quotas'],
            },
          },
          previous: text,
          next: text,
          total: { type: 'integer' },
        },
        required: ['project_quotas', 'total'],
      },
      ...refusals(406),
    },
  },
  get: {
    tags,
    summary: 'Show the limits of a project',
    params: projectId,
    response: {
      200: {
        description: 'Its own',
        type: 'object',
        properties: { project_quotas: PROJECT_QUOTAS },
        required: ['project_quotas'],
      },
      ...refusals(404, 406),
    },
  },
  set: {
    tags,
    summary: 'Set limits of a project; those not named stay as they are',
    params: projectId,
    body: {
      type: 'object',
      properties: { project_quotas: describeObject(LIMITS) },
      required: ['project_quotas'],
      additionalProperties: false,
    },
    response: { 204: nothing('Set'), ...refusals(400, 415) },
  },
  remove: {
    tags,
    summary: 'Take the limits of a project away: the defaults hold again',
    params: projectId,
    response: { 204: nothing('Taken away'), ...refusals(404) },
  },
} as const satisfies Record<string, Documentation>;
