import { type AccessRule, type Actor, foldRole, type ScopeKind } from '../../policy/actor.ts';

export interface ValidatedToken {
  actor: Actor;
  /** Milliseconds since 1970. */
  expires: number;
}

type Fields = Readonly<Record<string, unknown>>;

/** Ids as headers and paths hold them. `system` is the name of the keyring's own project. */
const IDENTIFIER = /^[\x21-\x7e]{1,255}$/;
const RESERVED_PROJECT = 'system';
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/;

/** Keystone's answer was not what the Identity API says: nobody is let in by it. */
export class MalformedAnswer extends Error {}

/**
 * Who a token is of, from the body of `GET /v3/auth/tokens`. Its roles are those that Keystone names: what
 * they imply, Keystone has put there.
 *
 * @throws MalformedAnswer when anything that rights rest on is missing, doubled or of another type.
 */
export function readValidatedToken(body: unknown): ValidatedToken {
  const token = fieldsOf(fieldsOf(body, 'body')['token'], 'token');
  const user = fieldsOf(token['user'], 'user');
  const { expires_at: expiresAt, audit_ids: auditIds } = token;
  if (typeof expiresAt !== 'string' || !TIME.test(expiresAt)) throw malformed('expires_at');
  const [auditId] = Array.isArray(auditIds) ? (auditIds as unknown[]) : [];
  const actor: Actor = {
    userId: idIn(user, 'user'),
    ...scopeOf(token),
    domainId: idIn(fieldsOf(user['domain'], 'user domain'), 'user domain'),
    auditId: typeof auditId === 'string' ? auditId : '',
    ...credentialOf(token),
  };
  const expires = Date.parse(expiresAt);
  if (Number.isNaN(expires)) throw malformed('expires_at');
  return { actor, expires };
}

function scopeOf(token: Fields): Pick<Actor, 'scope' | 'projectId' | 'scopeDomainId' | 'roles'> {
  const given = (['project', 'domain', 'system'] as const).filter((name) => token[name] !== undefined);
  const scope: ScopeKind = given[0] ?? 'unscoped';
  if (given.length > 1) throw malformed('scope');
  if (scope === 'system' && fieldsOf(token['system'], 'system')['all'] !== true) throw malformed('system');
  const projectId = scope === 'project' ? idIn(fieldsOf(token['project'], 'project'), 'project') : null;
  if (projectId === RESERVED_PROJECT) throw malformed('project id');
  const scopeDomainId = scope === 'domain' ? idIn(fieldsOf(token['domain'], 'domain'), 'domain') : null;
  return { scope, projectId, scopeDomainId, roles: scope === 'unscoped' ? [] : rolesOf(token) };
}

function rolesOf({ roles }: Fields): string[] {
  if (!Array.isArray(roles)) throw malformed('roles');
  return roles.map((role: unknown) => foldRole(textIn(fieldsOf(role, 'role'), 'name', 'role')));
}

function credentialOf(token: Fields): Pick<Actor, 'applicationCredentialId' | 'accessRules'> {
  const given = token['application_credential'];
  if (given === undefined) return { applicationCredentialId: null, accessRules: null };
  const credential = fieldsOf(given, 'application credential');
  const { access_rules: rules } = credential;
  return {
    applicationCredentialId: idIn(credential, 'application credential'),
    accessRules: rules === undefined || rules === null ? null : readRules(rules),
  };
}

function readRules(rules: unknown): AccessRule[] {
  if (!Array.isArray(rules)) throw malformed('access rules');
  return rules.map((rule: unknown) => {
    const fields = fieldsOf(rule, 'access rule');
    const [service, method, path] = ['service', 'method', 'path'].map((name) =>
      textIn(fields, name, 'access rule'),
    );
    return { service: service ?? '', method: method ?? '', path: path ?? '' };
  });
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(what);
  return value as Fields;
}

function idIn(fields: Fields, what: string): string {
  const { id } = fields;
  if (typeof id !== 'string' || !IDENTIFIER.test(id)) throw malformed(`${what} id`);
  return id;
}

function textIn(fields: Fields, name: string, what: string): string {
  const value = fields[name];
  if (typeof value !== 'string' || value === '') throw malformed(`${what} ${name}`);
  return value;
}

function malformed(what: string): MalformedAnswer {
  return new MalformedAnswer(`the ${what} in an answer of Keystone is malformed`);
}
