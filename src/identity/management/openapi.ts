import { type Documentation, refusals } from '../../http/documentation.ts';
import type { PropertyRule } from '../../http/json-schema-messages.ts';
import type { Properties } from './bodies.ts';

interface Described {
  /** Names in the path. */
  params?: readonly string[];
  query?: readonly string[];
  /** The member of the body and what it may hold. */
  body?: readonly [member: string, properties: Properties, ...required: string[]];
  /** The statuses that say how it went well, each with what it means. */
  done: Readonly<Record<number, string>>;
  refused?: readonly number[];
}

const text = { type: 'string' };

/** One route of management for /openapi.json. */
export function describe(
  summary: string,
  { params, query, body, done, refused = [] }: Described,
): Documentation {
  const answers = Object.entries(done).map(([status, description]) => [
    status,
    Number(status) === 204 ? { description, type: 'null' } : { description, type: 'object' },
  ]);
  return {
    tags: ['identity'],
    summary,
    ...(params && { params: describeNames(params, true) }),
    ...(query && { querystring: describeNames(query, false) }),
    ...(body && { body: describeBody(body) }),
    response: { ...Object.fromEntries(answers), ...refusals(...refused) },
  };
}

function describeNames(names: readonly string[], required: boolean): Documentation {
  const properties = Object.fromEntries(names.map((name) => [name, text]));
  return { type: 'object', properties, ...(required ? { required: [...names] } : {}) };
}

function describeBody([member, properties, ...required]: NonNullable<Described['body']>): Documentation {
  const fields = Object.entries(properties).map(([name, rule]) => [name, describeField(rule)]);
  const inner: Documentation = {
    type: 'object',
    properties: Object.fromEntries(fields) as unknown,
    required,
  };
  return { type: 'object', properties: { [member]: inner }, required: [member] };
}

function describeField({ types, lengthMin, lengthMax }: PropertyRule): Documentation {
  return {
    type: types.length === 1 ? types[0] : [...types],
    ...(lengthMin === undefined ? {} : { minLength: lengthMin }),
    ...(lengthMax === undefined ? {} : { maxLength: lengthMax }),
  };
}
