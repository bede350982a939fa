import { createRevisionMemory } from '../db/revisions.ts';
import { expandRoles } from '../policy/actor.ts';
import { restrictUserToIssuer } from './federation/issuer-rights.ts';
import type { IdentityParts } from './rights.ts';
import { readTokenRights } from './token-rights.ts';

/** Who asked for work that is done later. */
interface Submitter {
  userId: string;
  projectId: string;
  credentialId: string | null;
}

/**
 * The roles that somebody has in a project now, without a token, of an application credential what it gives,
 * and of an issuer's user what the issuer leaves; none for who is gone, disabled or ended.
 */
export function createPresentRoles(parts: IdentityParts): (submitter: Submitter) => Promise<string[]> {
  const memory = createRevisionMemory();
  return async ({ userId, projectId, credentialId }) => {
    const scope = { kind: 'project', id: projectId } as const;
    const origin = credentialId === null ? {} : { app: credentialId };
    const rights = await readTokenRights(parts, memory, userId, scope, origin);
    const kept = rights && (await restrictUserToIssuer(parts, memory, rights));
    return expandRoles(kept?.roles.map(({ name }) => name) ?? []);
  };
}
