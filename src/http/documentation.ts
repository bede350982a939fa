import type { ObjectSchema, PropertyRule } from './json-schema-messages.ts';

/**
 * A part of /openapi.json. It describes and decides nothing: bodies are checked after rights, in words of
 * their own.
 */
export type Documentation = Readonly<Record<string, unknown>>;

interface Described {
  schema: Documentation;
  validatorCompiler: () => () => true;
  serializerCompiler: () => (value: unknown) => string;
}

/** Options of a route that has a description: neither requests nor answers are held to it. */
export function described(schema: Documentation): Described {
  return { schema, validatorCompiler: () => () => true, serializerCompiler: () => JSON.stringify };
}

const ERROR: Documentation = {
  type: 'object',
  properties: {
    code: { type: 'integer' },
    title: { type: 'string' },
    description: { type: ['string', 'null'] },
  },
  required: ['code', 'title', 'description'],
};

const REASONS: Readonly<Record<number, string>> = {
  400: 'The request is malformed; the description says what is wrong with it',
  401: 'No valid token',
  403: 'The rights of the token do not reach this far',
  404: 'Not there, deleted, expired, or not a valid id',
  405: 'The Allow header names the methods that are known here',
  406: 'No form of the answer suits the Accept header or the asked version',
  409: 'In conflict with what is stored',
  413: 'Larger than a secret may be',
  415: 'Another Content-Type is expected; the description says which',
  429: 'Too many attempts from one address; repeat after the seconds in Retry-After',
  503: 'Repeat after the seconds in Retry-After',
};

/** The refusals of an operation, and those that every operation has. */
export function refusals(...statuses: readonly number[]): Documentation {
  const all = [...new Set([401, 403, 503, ...statuses])].sort((a, b) => a - b);
  return Object.fromEntries(all.map((status) => [status, { description: REASONS[status] ?? '', ...ERROR }]));
}

/** What `checkObject` checks, as JSON Schema: the description cannot differ from the check. */
export function describeObject({ properties, closed }: ObjectSchema): Documentation {
  return {
    type: 'object',
    ...describeProperties(properties),
    ...(closed ? { additionalProperties: false } : {}),
  };
}

function describeProperties(properties: ObjectSchema['properties']): Documentation {
  const required = Object.keys(properties).filter((name) => properties[name]?.required);
  return {
    properties: Object.fromEntries(
      Object.entries(properties).map(([name, rule]) => [name, describeProperty(rule)]),
    ),
    ...(required.length > 0 ? { required } : {}),
  };
}

function describeProperty(rule: PropertyRule): Documentation {
  const { types, lengthMin, lengthMax, minimum, maximum, oneOf, items, properties } = rule;
  return {
    type: types.length === 1 ? types[0] : types,
    ...(lengthMin === undefined ? {} : { minLength: lengthMin }),
    ...(lengthMax === undefined ? {} : { maxLength: lengthMax }),
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
    ...(oneOf === undefined ? {} : { enum: oneOf }),
    ...(items === undefined ? {} : { items: describeProperty(items) }),
    ...(properties === undefined ? {} : describeProperties(properties)),
  };
}
