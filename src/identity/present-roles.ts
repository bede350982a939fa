import { createRevisionMemory } from '../db/revisions.ts';
import { expandRoles } from '../policy/actor.ts';
import { type IdentityParts, readRights } from './rights.ts';

/** Who asked for work that is done later. */
interface Submitter {
  userId: string;
  projectId: string;
  credentialId: string | null;
}

/** The roles that somebody has in a project now, without a token; none for who is gone or disabled. */
export function createPresentRoles(parts: IdentityParts): (submitter: Submitter) => Promise<string[]> {
  const memory = createRevisionMemory();
  return async ({ userId, projectId, credentialId }) => {
    const rights = await readRights(parts, memory, userId, { kind: 'project', id: projectId });
    // Nobody has an application credential yet.
    if (rights === undefined || credentialId !== null) return [];
    return expandRoles(rights.roles.map(({ name }) => name));
  };
}
