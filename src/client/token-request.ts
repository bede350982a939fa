import { CofferError } from './coffer-error.ts';
import type {
  ApplicationCredentials,
  Credentials,
  PasswordCredentials,
  ProjectScope,
} from './credentials.ts';

type Named = { id: string } | { name: string };

/** By id when there is one, else by name; `Default` is the domain that OpenStack's clients assume. */
function domainOf(id: string | undefined, name: string | undefined): Named {
  return id === undefined ? { name: name ?? 'Default' } : { id };
}

function userOf(from: PasswordCredentials | ApplicationCredentials): object {
  if (from.userId !== undefined) return { id: from.userId };
  if (from.userName === undefined)
    throw new CofferError('configuration', 'a user name or a user id is missing');
  return { name: from.userName, domain: domainOf(from.userDomainId, from.userDomainName) };
}

function scopeOf(from: ProjectScope): object | undefined {
  if (from.projectId !== undefined) return { project: { id: from.projectId } };
  if (from.projectName === undefined) return undefined;
  const domain = domainOf(from.projectDomainId, from.projectDomainName);
  return { project: { name: from.projectName, domain } };
}

function identityOf(from: Credentials): object {
  if (from.type === 'password') {
    return { methods: ['password'], password: { user: { ...userOf(from), password: from.password } } };
  }
  if (from.type === 'token') return { methods: ['token'], token: { id: from.token } };
  const who = from.id === undefined ? { name: from.name, user: userOf(from) } : { id: from.id };
  return {
    methods: ['application_credential'],
    application_credential: { ...who, secret: from.secret },
  };
}

/** Whether the token of these credentials is used as it is. */
export function isFinalToken(from: Credentials): boolean {
  return from.type === 'token' && scopeOf(from) === undefined;
}

/** The body of `POST /v3/auth/tokens` (Keystone API v3, "Password", "Token" and "Application credential"). */
export function tokenRequest(from: Credentials): string {
  const scope = from.type === 'application_credential' ? undefined : scopeOf(from);
  return JSON.stringify({ auth: { identity: identityOf(from), ...(scope && { scope }) } });
}
