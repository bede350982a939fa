import { CofferError } from '../../errors.ts';
import { parseName } from '../names.ts';
import { isMadeSecret } from './credential-secret.ts';

/** A role by one of the two. */
export interface WantedRole {
  id?: string;
  name?: string;
}

/** An access rule of before, or what one says. */
export type WantedRule = { id: string } | { service: string; method: string; path: string };

export interface NewCredential {
  name: string;
  description: string | null;
  secret: string | null;
  /** Null for all of the token's. */
  roles: readonly WantedRole[] | null;
  expires: Date | null;
  unrestricted: boolean;
  accessRules: readonly WantedRule[] | null;
}

type Fields = Record<string, unknown>;

const METHODS = ['DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT'];
const SECRET_LENGTH_MIN = 32;
const SECRET_LENGTH_MAX = 1_024;
const NAME_LENGTH_MAX = 255;
const DESCRIPTION_LENGTH_MAX = 4_096;
const PATH_LENGTH_MAX = 225;
const LIST_MAX = 100;
const KNOWN = new Set([
  'id',
  'name',
  'description',
  'secret',
  'roles',
  'expires_at',
  'unrestricted',
  'access_rules',
  'project_id',
  'system',
]);

/**
 * The body of `POST /v3/users/{id}/application_credentials`, as Keystone's schema has it, and two things
 * more: a secret of one's own must be long, and an empty list of access rules is not taken for none.
 *
 * @throws CofferError `bad_request`.
 */
export function parseNewCredential(body: unknown, now: Date): NewCredential {
  const fields = objectOf(objectOf(body, 'request body').application_credential, 'application_credential');
  const unknown = Object.keys(fields).find((name) => !KNOWN.has(name));
  if (unknown !== undefined) throw invalid('an unknown property was given');
  const { unrestricted } = fields;
  if (unrestricted !== undefined && unrestricted !== null && typeof unrestricted !== 'boolean') {
    throw invalid('unrestricted is true or false');
  }
  return {
    name: parseCredentialName(fields.name),
    description: textOrNull(fields.description, 'description', DESCRIPTION_LENGTH_MAX),
    secret: parseSecret(fields.secret),
    roles: fields.roles === undefined ? null : listOf(fields.roles, 'roles').map(parseRole),
    expires: parseExpiry(fields.expires_at, now),
    unrestricted: unrestricted === true,
    accessRules: fields.access_rules === undefined ? null : parseRules(fields.access_rules),
  };
}

function parseCredentialName(value: unknown): string {
  if (typeof value !== 'string') throw invalid('name is a text');
  return parseName(value, 'credential').name;
}

/** Stored as one hash over it, which is no hindrance to whoever guesses a short one. */
function parseSecret(value: unknown): string | null {
  const secret = textOrNull(value, 'secret', SECRET_LENGTH_MAX);
  if (secret === null || secret === '') return null;
  if (secret.length < SECRET_LENGTH_MIN) {
    throw invalid(
      `a secret of your own has at least ${SECRET_LENGTH_MIN} random characters; or leave it out`,
    );
  }
  if (/^cof[ar]_/.test(secret) && !isMadeSecret('cofa', secret)) {
    throw invalid('the secret is a mistyped one of Coffer');
  }
  return secret;
}

function parseRole(value: unknown): WantedRole {
  const fields = objectOf(value, 'a role');
  const [name, another] = Object.keys(fields);
  if ((name !== 'id' && name !== 'name') || another !== undefined)
    throw invalid('a role is named by id or name');
  const text = textOrNull(fields[name], `${name} of a role`, NAME_LENGTH_MAX);
  if (text === null || text === '') throw invalid('a role is named by id or name');
  return name === 'id' ? { id: text } : { name: text };
}

function parseRules(value: unknown): WantedRule[] {
  const rules = listOf(value, 'access_rules').map(parseRule);
  if (rules.length === 0) throw invalid('access_rules allows nothing: leave it out for no restriction');
  return rules;
}

function parseRule(value: unknown): WantedRule {
  const { id, service, method, path } = objectOf(value, 'an access rule');
  if (typeof id === 'string' && isIdText(id)) return { id };
  if (id !== undefined) throw invalid('the id of an access rule is malformed');
  if (typeof service !== 'string' || !isIdText(service)) throw invalid('an access rule names a service type');
  if (typeof method !== 'string' || !METHODS.includes(method)) {
    throw invalid(`the method of an access rule is one of ${METHODS.join(', ')}`);
  }
  const isPath = typeof path === 'string' && path.startsWith('/') && path.length <= PATH_LENGTH_MAX;
  if (!isPath || !isStorable(path)) {
    throw invalid(`the path of an access rule begins with / and has at most ${PATH_LENGTH_MAX} characters`);
  }
  return { service, method, path };
}

const isIdText = (text: string): boolean => /^[a-zA-Z0-9-]{1,64}$/.test(text);
const isStorable = (text: string): boolean => !/[\p{Cc}\p{Cs}]/u.test(text);

const TIME = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)(Z|[+-]\d{2}:?\d{2})?$/;

/** Of what Python writes and ISO 8601 allows; without a zone it is UTC. */
function parseTime(text: string): Date | undefined {
  const [, day, time, zone = 'Z'] = TIME.exec(text) ?? [];
  if (day === undefined || time === undefined) return undefined;
  const offset = zone === 'Z' ? zone : `${zone.slice(0, 3)}:${zone.slice(-2)}`;
  const parsed = new Date(`${day}T${time.replace(',', '.')}${offset}`);
  const midnight = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(parsed.getTime()) || Number.isNaN(midnight.getTime())) return undefined;
  // A day that the month has not would be one of the next month.
  return midnight.toISOString().startsWith(day) ? parsed : undefined;
}

function parseExpiry(value: unknown, now: Date): Date | null {
  const text = textOrNull(value, 'expires_at', 64);
  if (text === null || text === '') return null;
  const expires = parseTime(text);
  if (expires === undefined) throw invalid('expires_at is no time: give it as 2030-01-31T12:00:00Z');
  if (expires <= now) throw invalid('expires_at has passed');
  return expires;
}

function objectOf(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`${what} is an object`);
  return value as Fields;
}

function listOf(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value) || value.length > LIST_MAX)
    throw invalid(`${what} is a list of at most ${LIST_MAX}`);
  return value;
}

/** PostgreSQL keeps neither NUL nor half of a surrogate pair. */
function textOrNull(value: unknown, what: string, lengthMax: number): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string' || value.length > lengthMax || /\0|\p{Surrogate}/u.test(value)) {
    throw invalid(`${what} is a text of at most ${lengthMax} characters`);
  }
  return value;
}

/** In words that never hold what was sent: it may be a secret. */
export function invalid(detail: string): CofferError {
  return new CofferError('bad_request', `Invalid application credential: ${detail}.`);
}
