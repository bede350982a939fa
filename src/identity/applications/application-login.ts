import type { RevisionMemory } from '../../db/revisions.ts';
import { openRow } from '../../db/sealed.ts';
import { CofferError } from '../../errors.ts';
import { authenticationRequired } from '../../http/errors.ts';
import type { NamedCredential } from '../keystone-requests.ts';
import type { LoginAttempt } from '../login-attempt.ts';
import { nameKey } from '../names.ts';
import { findNamedUser } from '../password-login.ts';
import type { IdentityParts } from '../rights.ts';
import { type ApplicationRights, readApplicationRights } from './application-rights.ts';
import { findCredentialByName } from './credential-queries.ts';
import { matchesSecret } from './credential-secret.ts';

export type ApplicationLogin = (
  named: NamedCredential,
  secret: string,
  attempt: LoginAttempt,
) => Promise<ApplicationRights>;

/**
 * Gives the rights of the credential whose secret it is. One that is unknown, ended, revoked or not fetched
 * yet, a wrong secret and an owner without rights get the same answer. Nothing is counted: 256 random bits
 * are not guessed, and nobody can hold an application back by trying.
 */
export function createApplicationLogin(parts: IdentityParts, memory: RevisionMemory): ApplicationLogin {
  return async (named, secret, attempt) => {
    const id = await resolveCredential(parts, named);
    const rights = id === undefined ? undefined : await readApplicationRights(parts, memory, id);
    attempt.userId = rights?.user.id ?? null;
    attempt.applicationId = rights?.application.row.id ?? null;
    const matches = matchesSecret(rights?.application.row.secret_hash ?? null, id ?? '', secret);
    if (rights === undefined || !matches || rights.roles.length === 0) {
      throw new CofferError('unauthorized', authenticationRequired);
    }
    return rights;
  };
}

async function resolveCredential(parts: IdentityParts, named: NamedCredential): Promise<string | undefined> {
  if ('id' in named) return named.id;
  const user = await findNamedUser(parts, named.user);
  if (user === undefined) return undefined;
  const asked = { user_id: user.id, name_key: nameKey(named.name) };
  const found = await findCredentialByName(parts.db, asked.user_id, asked.name_key);
  return found && (await openRow(parts.keyring, 'application_credentials', asked, found)).id;
}
