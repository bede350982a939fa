import type { RevisionMemory } from '../db/revisions.ts';
import { readApplicationRights } from './applications/application-rights.ts';
import type { TokenOrigin } from './claims.ts';
import { restrictToIssuer } from './federation/issuer-rights.ts';
import { type IdentityParts, readRights, type Rights, type TokenScope } from './rights.ts';

/** The rights of a token: those that its user has in its scope, less what the token's origin leaves out. */
export async function readTokenRights(
  parts: IdentityParts,
  memory: RevisionMemory,
  userId: string,
  scope: TokenScope,
  origin: TokenOrigin,
): Promise<Rights | undefined> {
  if (origin.app !== undefined) {
    const narrowed = await readApplicationRights(parts, memory, origin.app);
    const isItsOwn = scope.kind === 'project' && narrowed?.project?.id === scope.id;
    return isItsOwn && narrowed.user.id === userId ? narrowed : undefined;
  }
  const rights = await readRights(parts, memory, userId, scope);
  if (rights === undefined || origin.iss_id === undefined) return rights;
  return await restrictToIssuer(parts, memory, origin.iss_id, rights);
}
