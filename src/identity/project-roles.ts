import { StaleRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { removeAssignments } from './assignments.ts';
import { deleteAssignmentsOfNobody, listUsersWithRolesIn } from './queries.ts';
import { type IdentityParts, readUser } from './rights.ts';

const USERS_AT_ONCE = 50;

/**
 * Takes the roles in a project from everybody, as part of its deletion. A user whose rows do not verify keeps
 * them as they are: that user has no rights anywhere, and the project is gone.
 */
export async function removeRolesIn(parts: IdentityParts, projectId: string): Promise<'more' | 'done'> {
  await deleteAssignmentsOfNobody(parts.db, projectId);
  let after = '';
  for (;;) {
    const userIds = await listUsersWithRolesIn(parts.db, projectId, after, USERS_AT_ONCE);
    for (const userId of userIds) {
      if ((await removeRolesOf(parts, userId, projectId)) === 'more') return 'more';
    }
    const last = userIds.at(-1);
    if (last === undefined || userIds.length < USERS_AT_ONCE) return 'done';
    after = last;
  }
}

async function removeRolesOf(
  parts: IdentityParts,
  userId: string,
  projectId: string,
): Promise<'more' | 'done'> {
  try {
    const known = await readUser(parts, userId, null);
    const gone = (known?.assignments ?? []).filter(
      ({ scope_kind, scope_id }) => scope_kind === 'project' && scope_id === projectId,
    );
    if (known !== undefined && gone.length > 0) await removeAssignments(parts, known, gone);
    return 'done';
  } catch (error) {
    if (error instanceof StaleRow) return 'more';
    if (error instanceof CofferError && error.code === 'integrity_violation') return 'done';
    throw error;
  }
}
