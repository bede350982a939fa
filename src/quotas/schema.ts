import { checkObject, type ObjectSchema } from '../http/json-schema-messages.ts';
import { LIMITED, type Limited, type ProjectLimits } from './record.ts';

/** What the column of Barbican holds. */
const LIMIT = { types: ['integer'], minimum: -2_147_483_648, maximum: 2_147_483_647 } as const;

const PROJECT_QUOTA: ObjectSchema = {
  name: 'Project Quota',
  properties: { project_quotas: { types: ['object'], required: true } },
  closed: true,
};

export const LIMITS: ObjectSchema = {
  name: 'Project Quota',
  within: 'project_quotas',
  properties: Object.fromEntries(LIMITED.map((name) => [name, LIMIT])),
  closed: true,
};

/** The limits that a body sets; those that it does not name stay as they are. */
export function parseLimits(body: unknown): ProjectLimits {
  const limits = checkObject(LIMITS, checkObject(PROJECT_QUOTA, body).project_quotas);
  return new Map(Object.entries(limits) as [Limited, number][]);
}
