import { CofferError } from '../errors.ts';

/** By id, or by name in the one domain there is. */
export type Named = { id: string } | { name: string };

export type Scope = { kind: 'project'; project: Named } | { kind: 'unscoped' } | { kind: 'unsupported' };

export interface LoginRequest {
  password?: { user: Named; password: string };
  token?: string;
  /** Undefined where the request has none: then the user's default project, or that of the token. */
  scope: Scope | undefined;
}

type Fields = Record<string, unknown>;

/** The body of `POST /v3/auth/tokens` (contract §6.3). @throws CofferError `bad_request` in Keystone's words. */
export function parseLogin(body: unknown): LoginRequest {
  const auth = fieldsOf(fieldsOf(body, 'auth').auth, 'identity');
  const identity = fieldsOf(auth.identity, 'methods');
  const { methods } = identity;
  if (!Array.isArray(methods) || methods.length !== 1) throw malformed('methods');
  const request: LoginRequest = { scope: parseScope(auth.scope) };
  if (methods[0] === 'password') {
    const user = fieldsOf(fieldsOf(identity.password, 'user').user, 'password');
    const { password } = user;
    if (typeof password !== 'string') throw malformed('password');
    return { ...request, password: { user: parseNamed(user, 'user'), password } };
  }
  if (methods[0] === 'token') {
    const { id } = fieldsOf(identity.token, 'id');
    if (typeof id !== 'string') throw malformed('id');
    return { ...request, token: id };
  }
  throw new CofferError('unauthorized', 'Attempted to authenticate with an unsupported method.');
}

function parseScope(scope: unknown): Scope | undefined {
  if (scope === undefined || scope === null) return undefined;
  if (scope === 'unscoped') return { kind: 'unscoped' };
  if (typeof scope !== 'object') throw malformed('scope');
  const { project, ...others } = scope as Fields;
  if (Object.hasOwn(others, 'unscoped')) return { kind: 'unscoped' };
  if (project === undefined) return { kind: 'unsupported' };
  if (Object.keys(others).length > 0) throw malformed('scope');
  return { kind: 'project', project: parseNamed(fieldsOf(project, 'id or name'), 'project') };
}

/** An id needs no domain; a name does, and there is one domain, `default`, called Default. */
function parseNamed(fields: Fields, noun: string): Named {
  const { id, name } = fields;
  if (typeof id === 'string') return { id };
  if (typeof name !== 'string') throw malformed(`${noun} id or name`);
  const domain = fieldsOf(fields.domain, 'domain id or name');
  const isDefault = domain.id === undefined ? sameName(domain.name, 'Default') : domain.id === 'default';
  // A name of another domain is nobody's: the caller answers as for any unknown one.
  return isDefault ? { name } : { id: '' };
}

function sameName(value: unknown, name: string): boolean {
  return typeof value === 'string' && value.toLowerCase() === name.toLowerCase();
}

function fieldsOf(value: unknown, wanted: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(wanted);
  return value as Fields;
}

function malformed(wanted: string): CofferError {
  return new CofferError(
    'bad_request',
    `Expecting to find ${wanted} in the request body. The server could not comply with the request since it is either ` +
      'malformed or otherwise incorrect. The client is assumed to be in error.',
  );
}
