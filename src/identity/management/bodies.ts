import { CofferError } from '../../errors.ts';
import { mismatchOf, type PropertyRule } from '../../http/json-schema-messages.ts';
import { DEFAULT_DOMAIN } from '../keystone-requests.ts';
import { parseTags } from './extra.ts';

/** What a request may say of a resource that means something here. */
export type Properties = Readonly<Record<string, PropertyRule>>;

const optional = { types: ['string', 'null'], lengthMax: 20_000 } as const;

export const PROJECT: Properties = {
  name: { types: ['string'], lengthMin: 1, lengthMax: 64 },
  description: optional,
  enabled: { types: ['boolean'] },
  domain_id: { types: ['string', 'null'], lengthMax: 64 },
  parent_id: { types: ['string', 'null'], lengthMax: 64 },
  is_domain: { types: ['boolean'] },
  tags: { types: ['array'] },
  options: { types: ['object'] },
};

export const USER: Properties = {
  name: { types: ['string'], lengthMin: 1, lengthMax: 255 },
  password: { types: ['string', 'null'], withheld: true },
  email: optional,
  description: optional,
  enabled: { types: ['boolean'] },
  default_project_id: { types: ['string', 'null'], lengthMax: 64 },
  domain_id: { types: ['string', 'null'], lengthMax: 64 },
  options: { types: ['object'] },
};

export const ROLE: Properties = {
  name: { types: ['string'], lengthMin: 1, lengthMax: 255 },
  description: optional,
  domain_id: { types: ['string', 'null'], lengthMax: 64 },
  options: { types: ['object'] },
};

export const PASSWORD_CHANGE: Properties = {
  original_password: { types: ['string'], withheld: true },
  password: { types: ['string'], withheld: true },
};

type Fields = Record<string, unknown>;

/**
 * The member of a body, `{"user": {…}}`, with what is known of it checked.
 *
 * @throws CofferError `bad_request`, never with a password in its message.
 */
export function parseMember(
  body: unknown,
  member: string,
  properties: Properties,
  required: readonly string[] = [],
): Fields {
  const fields = isObject(body) ? body[member] : undefined;
  if (!isObject(fields)) throw refused(`'${member}' is a required property`);
  for (const name of required) {
    if (!Object.hasOwn(fields, name)) throw refused(`'${name}' is a required property`);
  }
  const known: Fields = {};
  for (const [name, rule] of Object.entries(properties)) {
    if (!Object.hasOwn(fields, name)) continue;
    const reason = mismatchOf(rule, fields[name]);
    if (reason !== undefined) throw refused(`Invalid input for field '${name}': ${reason}`);
    known[name] = fields[name];
  }
  refuseOptions(known);
  return known;
}

/** Names that an answer gives a meaning, and a client therefore cannot. */
const RESERVED = new Set(['id', 'links', 'options', 'password_expires_at', 'federated', 'original_password']);
const KEYS_MAX = 64;

/** What else a request says of a project or user, to be kept. @throws CofferError `bad_request`. */
export function parseExtra(body: unknown, member: string, properties: Properties): Map<string, unknown> {
  const fields = isObject(body) && isObject(body[member]) ? body[member] : {};
  const extra = new Map(
    Object.entries(fields).filter(([name]) => !Object.hasOwn(properties, name) && !RESERVED.has(name)),
  );
  if (extra.size > KEYS_MAX) throw refused(`At most ${KEYS_MAX} properties are kept.`);
  if (member === 'project' && Object.hasOwn(fields, 'tags')) extra.set('tags', parseTags(fields.tags));
  return extra;
}

/** `id` and `domain_id` stay what they are. @throws CofferError `bad_request`. */
export function requireSame(body: unknown, member: string, id: string): void {
  const fields = isObject(body) && isObject(body[member]) ? body[member] : {};
  if (fields.id !== undefined && fields.id !== id) throw refused(`Cannot change ${member} ID`);
  if (fields.domain_id !== undefined && fields.domain_id !== DEFAULT_DOMAIN.id) {
    throw refused('Cannot change Domain ID');
  }
}

/** Picks what a service takes; what was not sent stays out. */
export function pick<K extends string>(fields: Fields, names: readonly K[]): Partial<Record<K, unknown>> {
  return Object.fromEntries(
    names.filter((name) => Object.hasOwn(fields, name)).map((name) => [name, fields[name]]),
  ) as Partial<Record<K, unknown>>;
}

/** Options would have to mean something: they are refused rather than forgotten. */
function refuseOptions({ options }: Fields): void {
  const values = isObject(options) ? Object.values(options) : [];
  if (values.some((value) => value !== null && value !== false)) throw refused('Options are not supported.');
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(message: string): CofferError {
  return new CofferError('bad_request', message);
}
