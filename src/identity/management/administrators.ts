import type { RoleAssignmentRow, RoleRow } from '../../db/schema.ts';
import type { Hold } from '../../db/sealed.ts';
import { CofferError } from '../../errors.ts';
import { getRole } from '../administration.ts';
import type { KnownUser } from '../rights.ts';
import { readNewest } from '../rights.ts';
import { findProject } from '../rows.ts';
import type { Management } from './management.ts';
import { listHolders } from './queries.ts';

/** What a change takes away: all of a user, one assignment, or all that is in a project. */
export type Loss = (known: KnownUser, assignment: RoleAssignmentRow) => boolean;

/**
 * Rows that say who still administers after a change: an enabled user who has a password, with the role
 * `admin` on the system or in an enabled project. Whoever makes the change holds them until it is made, so
 * that two administrators cannot remove each other at once.
 *
 * @throws CofferError `forbidden` when nobody would be left.
 */
export async function holdAdministrator(management: Management, lost: Loss): Promise<Hold[]> {
  const admin = await getRole(management, 'admin');
  for (const userId of await listHolders(management.db, admin.id)) {
    const known = await readNewest(management, management.memory, userId, null);
    if (known?.user.enabled !== true || known.user.password_hash === null) continue;
    for (const assignment of known.assignments) {
      if (!administers(assignment, admin) || lost(known, assignment)) continue;
      const holds: Hold[] = [{ table: 'users', row: known.user }];
      if (assignment.scope_kind === 'system') return holds;
      const project = await findProject(management, assignment.scope_id);
      if (project?.enabled === true) return [...holds, { table: 'projects', row: project }];
    }
  }
  throw new CofferError(
    'forbidden',
    'Nobody would be left to administer: ' +
      'first give the role admin, on the system or in a project, to another who has a password.',
  );
}

/** Whether the user administers, so that taking that away needs another who does. */
export function isAdministrator({ user, assignments, roles }: KnownUser): boolean {
  if (!user.enabled) return false;
  return assignments.some((assignment) => administers(assignment, roles.get(assignment.role_id)));
}

function administers({ scope_kind, role_id }: RoleAssignmentRow, admin: RoleRow | undefined): boolean {
  return admin?.name === 'admin' && role_id === admin.id && scope_kind !== 'domain';
}
