import type { IncomingHttpHeaders } from 'node:http';
import { type Actor, expandRoles, foldRole } from '../policy/actor.ts';
import { MiddlewareRefusal } from './errors.ts';

/** The project that the keyring keeps for itself. */
const systemProject = 'system';
const identifier = /^[\x21-\x7e]{1,255}$/;

/** The actor that the headers claim to be: only for `COFFER_NOAUTH`, where nothing is verified. */
export function noAuthenticate(headers: IncomingHttpHeaders): Actor {
  const projectId = header(headers, 'x-project-id');
  if (projectId === undefined) throw new MiddlewareRefusal('bad_request', 'Missing X-Project-Id');
  if (projectId === systemProject) throw new MiddlewareRefusal('bad_request', 'Invalid X-Project-Id');
  return {
    userId: header(headers, 'x-user-id') ?? 'noauth',
    scope: 'project',
    projectId,
    scopeDomainId: null,
    roles: expandRoles(readRoles(headers['x-roles'])),
    domainId: header(headers, 'x-domain-id') ?? null,
    auditId: 'noauth',
    applicationCredentialId: null,
    accessRules: null,
  };
}

function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  if (typeof value !== 'string' || value === '') return undefined;
  if (!identifier.test(value)) throw new MiddlewareRefusal('bad_request', `Invalid ${name}`);
  return value;
}

/** No header is the administrator, as in Barbican; a header without a role is nobody. */
function readRoles(value: string | string[] | undefined): string[] {
  if (typeof value !== 'string') return ['admin'];
  return value
    .split(',')
    .map((role) => foldRole(role.trim()))
    .filter((role) => role !== '');
}
