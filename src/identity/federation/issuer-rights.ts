import type { RevisionMemory } from '../../db/revisions.ts';
import { openRow } from '../../db/sealed.ts';
import { ISSUER_PREFIX } from '../names.ts';
import type { IdentityParts, Rights } from '../rights.ts';
import { findIssuer, findIssuerByName } from './issuer-queries.ts';
import { decodeRoleIds } from './issuer-record.ts';
import { readNewest } from './newest-issuers.ts';

/**
 * What an issuer leaves of its user's rights: its own roles, in its own project. An issuer that is not there,
 * disabled, or of another user gives undefined.
 */
export async function restrictToIssuer(
  { db, keyring }: IdentityParts,
  memory: RevisionMemory,
  issuerId: string,
  rights: Rights,
): Promise<Rights | undefined> {
  const [issuer] = await readNewest(memory, async () => {
    const found = await findIssuer(db, issuerId);
    return found === undefined ? [] : [await openRow(keyring, 'issuers', { id: issuerId }, found)];
  });
  if (issuer === undefined) return undefined;
  const { user, scope } = rights;
  const isIts = scope.kind === 'unscoped' || (scope.kind === 'project' && scope.id === issuer.project_id);
  if (!issuer.enabled || issuer.user_id !== user.id || !isIts) return undefined;
  const ids = decodeRoleIds(issuer.role_ids);
  return { ...rights, roles: rights.roles.filter(({ id }) => ids.includes(id)), issuer };
}

/** The same without a token, by the name of the user: the rights of anybody else are what they are. */
export async function restrictUserToIssuer(
  parts: IdentityParts,
  memory: RevisionMemory,
  rights: Rights,
): Promise<Rights | undefined> {
  const { name_key: key } = rights.user;
  if (!key.startsWith(ISSUER_PREFIX)) return rights;
  const issuer = await findIssuerByName(parts.db, key.slice(ISSUER_PREFIX.length));
  return issuer && (await restrictToIssuer(parts, memory, issuer.id, rights));
}
