import { type Documentation, refusals } from '../http/documentation.ts';

const text = { type: 'string' };
const object = { type: 'object' };

const subject: Documentation = {
  type: 'object',
  properties: { 'x-subject-token': { ...text, description: 'The token in question' } },
  required: ['x-subject-token'],
};
const NOCATALOG = { ...text, description: 'When it is there, whatever its value: no catalog' };
const EXPIRED = { ...text, description: '1 or true: one that ended within the last day too' };
const asking = (properties: Documentation): Documentation => ({ ...object, properties });
const tags = ['identity'];

/** The routes of tokens for /openapi.json. */
export const tokenDocumentation: Readonly<Record<'post' | 'get' | 'head' | 'delete', Documentation>> = {
  post: {
    tags,
    summary: 'Log in: a token for a project, the domain, the system or none, in X-Subject-Token',
    querystring: asking({ nocatalog: NOCATALOG }),
    body: {
      ...object,
      properties: {
        auth: {
          ...object,
          properties: {
            identity: {
              ...object,
              properties: {
                methods: {
                  type: 'array',
                  items: { enum: ['password', 'token', 'application_credential'] },
                  minItems: 1,
                  maxItems: 1,
                },
                password: object,
                token: object,
                application_credential: object,
              },
              required: ['methods'],
            },
            scope: {
              oneOf: [
                { enum: ['unscoped'] },
                ...['project', 'domain', 'system', 'unscoped'].map((kind) => ({
                  ...object,
                  properties: { [kind]: object },
                  required: [kind],
                })),
              ],
            },
          },
          required: ['identity'],
        },
      },
      required: ['auth'],
    },
    response: { 201: { description: 'The token, described', ...object }, ...refusals(400) },
  },
  get: {
    tags,
    summary: "Describe a token: one's own, or anybody's for an administrator",
    headers: subject,
    querystring: asking({ nocatalog: NOCATALOG, allow_expired: EXPIRED }),
    response: { 200: { description: 'The token, described', ...object }, ...refusals(404) },
  },
  head: {
    tags,
    summary: 'Whether a token is valid',
    headers: subject,
    querystring: asking({ allow_expired: EXPIRED }),
    response: { 200: { description: 'It is', type: 'null' }, ...refusals(404) },
  },
  delete: {
    tags,
    summary: 'End a token, and with a first one those rescoped from it, on every server within 5 s',
    headers: subject,
    response: { 204: { description: 'Ended', type: 'null' }, ...refusals(404) },
  },
};

/** A list of what the token in use may be scoped to, or finds. */
export function scopeDocumentation(summary: string): Documentation {
  return { tags, summary, response: { 200: { description: 'With links', ...object }, ...refusals() } };
}
