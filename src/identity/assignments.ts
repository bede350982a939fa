import type { ProjectRow, RoleAssignmentRow, RoleRow, UserRow } from '../db/schema.ts';
import { deleteRow, type Hold, holdRows, insertRow, sealRow, StaleRow, swapRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { announce, holdsOf, type NewGrant, type Scope, scopeIdOf, sealGrant } from './administration.ts';
import { removeCredentialsOfUser } from './applications/credential-rows.ts';
import { getProjectById, getRoleById } from './rows.ts';
import { digestAssignments, type IdentityParts, type KnownUser, readUser } from './rights.ts';

const ATTEMPTS_MAX = 5;

/** Does the work again when a row changed meanwhile. @throws CofferError `unavailable` after five rounds. */
export async function untilCurrent<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StaleRow)) throw error;
    }
  }
  throw new CofferError('unavailable', 'It is being changed by others; try again.', { retryAfterSeconds: 1 });
}

export function findAssignment(
  { assignments }: Pick<KnownUser, 'assignments'>,
  scope: Scope,
  roleId: string,
): RoleAssignmentRow | undefined {
  return assignments.find(
    ({ scope_kind, scope_id, role_id }) =>
      scope_kind === scope.kind && scope_id === scopeIdOf(scope) && role_id === roleId,
  );
}

/** Gives a user a role in a project, or on the system for null; what is there already is left as it is. */
export async function assignRole(
  parts: IdentityParts,
  user: Pick<UserRow, 'id'>,
  project: Pick<ProjectRow, 'id'> | null,
  role: Pick<RoleRow, 'id'>,
): Promise<void> {
  await untilCurrent(async () => {
    const known = await readUser(parts, user.id, null);
    if (known === undefined) throw new CofferError('not_found', 'There is no such user.');
    await addGrant(parts, known, {
      scope: project === null ? { kind: 'system' } : { kind: 'project', id: project.id },
      role: await getRoleById(parts, role.id),
      project: project && (await getProjectById(parts, project.id)),
    });
  });
}

/** @throws StaleRow when the user, the role or the project is no longer what was read. */
export async function addGrant(parts: IdentityParts, known: KnownUser, grant: NewGrant): Promise<void> {
  if (findAssignment(known, grant.scope, grant.role.id) !== undefined) return;
  const assignment = await sealGrant(parts, known.user.id, grant);
  const next = await sealUserWith(parts, known.user, [...known.assignments, assignment]);
  await parts.db.transaction(async (tx) => {
    await holdRows(tx, holdsOf(grant));
    await swapRow(tx, 'users', known.user, next);
    // A server that read the user a moment later made it: then the user's row is another one too.
    await insertRow(tx, 'role_assignments', assignment);
    await announce(tx);
  });
}

/**
 * Takes assignments from a user. `holds` are rows that it rests on: of who still administers.
 *
 * @throws StaleRow when the user or one of those is no longer what was read.
 */
export async function removeAssignments(
  parts: IdentityParts,
  known: KnownUser,
  gone: readonly RoleAssignmentRow[],
  holds: readonly Hold[] = [],
): Promise<void> {
  const left = known.assignments.filter((assignment) => !gone.includes(assignment));
  const next = await sealUserWith(parts, known.user, left);
  await parts.db.transaction(async (tx) => {
    await holdRows(tx, [...holds, { table: 'users', row: known.user, change: true }]);
    await swapRow(tx, 'users', known.user, next);
    for (const assignment of gone) await deleteRow(tx, 'role_assignments', assignment);
    // As in Keystone: an application that had the role there does not have it again with its owner.
    for (const { scope_kind, scope_id } of gone) {
      if (scope_kind === 'project') await removeCredentialsOfUser(parts, tx, known.user.id, scope_id);
    }
    await announce(tx);
  });
}

async function sealUserWith(
  { keyring, clock }: IdentityParts,
  user: UserRow,
  assignments: readonly RoleAssignmentRow[],
): Promise<UserRow> {
  return await sealRow(keyring, 'users', {
    ...user,
    assignments_digest: digestAssignments(assignments.map(({ id }) => id)),
    revision: user.revision + 1n,
    updated: clock.now(),
  });
}
