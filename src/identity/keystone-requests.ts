import { CofferError } from '../errors.ts';
import { nameKey } from './names.ts';

/** By id, or by name in the one domain there is. */
export type Named = { id: string } | { name: string };

export type WantedScope =
  | { kind: 'project'; project: Named }
  | { kind: 'domain'; id: string }
  | { kind: 'system' }
  | { kind: 'unscoped' }
  | { kind: 'unsupported' };

/** An application credential by id, or by name and whose it is. */
export type NamedCredential = { id: string } | { name: string; user: Named };

export interface LoginRequest {
  password?: { user: Named; password: string };
  application?: { credential: NamedCredential; secret: string };
  token?: string;
  /** Undefined where the request has none: then the user's default project. */
  scope: WantedScope | undefined;
}

type Fields = Record<string, unknown>;

/** The domain that every name is in. */
export const DEFAULT_DOMAIN = { id: 'default', name: 'Default' } as const;
/** In another domain there is nobody and nothing: this id is no one's. */
const NOWHERE = '';
const METHODS = ['password', 'token', 'application_credential'];
const SCOPES = ['project', 'domain', 'system', 'unscoped', 'OS-TRUST:trust'];

/**
 * The body of `POST /v3/auth/tokens` (contract §6.3). @throws CofferError `bad_request` in Keystone's words.
 */
export function parseLogin(body: unknown): LoginRequest {
  const { auth: given } = objectOf(body, 'auth', 'request body');
  const auth = objectOf(given, 'auth', 'request body');
  const identity = objectOf(auth.identity, 'identity', 'auth');
  const { methods } = identity;
  if (!Array.isArray(methods) || !methods.every((method) => typeof method === 'string')) {
    throw expected('methods', 'identity');
  }
  const [method, another] = new Set<string>(methods);
  if (method === undefined) throw expected('methods', 'identity');
  if (!METHODS.includes(method) || another !== undefined) {
    throw new CofferError('unauthorized', 'Attempted to authenticate with an unsupported method.');
  }
  if (method === 'application_credential') return { application: parseApplication(auth), scope: undefined };
  const scope = parseScope(auth);
  if (method === 'token') {
    const { id } = objectOf(identity.token, 'token', 'identity');
    if (typeof id !== 'string') throw expected('id', 'token');
    return { token: id, scope };
  }
  const user = objectOf(objectOf(identity.password, 'password', 'identity').user, 'user', 'password');
  const { password } = user;
  if (typeof password !== 'string') throw expected('password', 'user');
  return { password: { user: parseNamed(user, 'user'), password }, scope };
}

/** It has a scope of its own, and takes no other. */
function parseApplication(auth: Fields): { credential: NamedCredential; secret: string } {
  if (Object.hasOwn(auth, 'scope')) {
    throw new CofferError(
      'unauthorized',
      'Error authenticating with application credential: Application credentials cannot request a scope.',
    );
  }
  const identity = objectOf(auth.identity, 'identity', 'auth');
  const given = objectOf(identity.application_credential, 'application_credential', 'identity');
  const { secret } = given;
  if (typeof secret !== 'string') throw expected('secret', 'application_credential');
  const id = textIn(given, 'id', 'application_credential');
  if (id !== undefined && id !== '') return { credential: { id }, secret };
  const name = textIn(given, 'name', 'application_credential');
  if (name === undefined || name === '') throw expected('name or ID', 'application credential');
  const user = parseNamed(objectOf(given.user, 'user', 'application credential'), 'user');
  return { credential: { name, user }, secret };
}

function parseScope(auth: Fields): WantedScope | undefined {
  if (!Object.hasOwn(auth, 'scope')) return undefined;
  if (auth.scope === 'unscoped') return { kind: 'unscoped' };
  const scope = objectOf(auth.scope, 'scope', 'auth');
  const given = SCOPES.filter((kind) => Object.hasOwn(scope, kind));
  if (given.length !== 1) throw expected('system, project, domain, OS-TRUST:trust or unscoped', 'scope');
  if (given[0] === 'unscoped') return { kind: 'unscoped' };
  if (given[0] === 'project') {
    return { kind: 'project', project: parseNamed(objectOf(scope.project, 'project', 'scope'), 'project') };
  }
  if (given[0] === 'domain') return { kind: 'domain', id: parseDomain(scope.domain, 'scope') };
  if (given[0] !== 'system') return { kind: 'unsupported' };
  if (objectOf(scope.system, 'system', 'scope').all !== true) throw expected('all', 'system');
  return { kind: 'system' };
}

/** An id needs no domain; a name does. */
function parseNamed(fields: Fields, noun: string): Named {
  const id = textIn(fields, 'id', noun);
  const name = textIn(fields, 'name', noun);
  if (id !== undefined && id !== '') return { id };
  if (name === undefined) throw expected('id or name', noun);
  return parseDomain(fields.domain, noun) === NOWHERE ? { id: NOWHERE } : { name };
}

function parseDomain(given: unknown, noun: string): string {
  const domain = objectOf(given, 'domain', noun);
  const id = textIn(domain, 'id', 'domain');
  const name = textIn(domain, 'name', 'domain');
  if (id === undefined && name === undefined) throw expected('id or name', 'domain');
  const isDefault =
    (id === undefined || id === DEFAULT_DOMAIN.id) &&
    (name === undefined || nameKey(name) === nameKey(DEFAULT_DOMAIN.name));
  return isDefault ? DEFAULT_DOMAIN.id : NOWHERE;
}

/** A text, or nothing where there is none or it is null; anything else is malformed. */
function textIn(fields: Fields, name: string, target: string): string | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw expected(name, target);
  return value;
}

function objectOf(value: unknown, wanted: string, target: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw expected(wanted, target);
  return value as Fields;
}

function expected(attribute: string, target: string): CofferError {
  return new CofferError(
    'bad_request',
    `Expecting to find ${attribute} in ${target}. The server could not comply with the request since it is either ` +
      'malformed or otherwise incorrect. The client is assumed to be in error.',
  );
}
