import { createHash } from 'node:crypto';
import type { Coffer } from '../coffer.ts';
import { encodeFields, list, uuid } from '../crypto/encoding.ts';
import type { ProjectRow, RoleAssignmentRow, RoleRow, UserRow } from '../db/schema.ts';
import { openRow } from '../db/sealed.ts';
import type { RevisionMemory } from '../db/revisions.ts';
import { CofferError } from '../errors.ts';
import { findUser, listAssignments, listRoles } from './queries.ts';

export type IdentityParts = Pick<Coffer, 'db' | 'keyring' | 'clock'>;

/** A user with the project asked for and the roles there, all verified. */
export interface Rights {
  user: UserRow;
  project: ProjectRow | null;
  /** Assigned, not implied. */
  roles: readonly RoleRow[];
}

/** SHA-256 over the sorted ids of a user's assignments (FORMAT.md §4). */
export function digestAssignments(ids: readonly string[]): Buffer {
  const sorted = [...ids].sort().map((id) => uuid(id));
  return createHash('sha256')
    .update(encodeFields([list(sorted)]))
    .digest();
}

/**
 * Reads a user's rights in a project anew. A user or project that is not there, disabled or of another origin gives
 * undefined; a list of assignments that is not the one the user's row was sealed with fails as a whole.
 */
export async function readRights(
  parts: IdentityParts,
  memory: RevisionMemory,
  userId: string,
  projectId: string | null,
): Promise<Rights | undefined> {
  const { db, keyring } = parts;
  const found = await findUser(db, userId);
  if (found === undefined) return undefined;
  const user = await openRow(keyring, 'users', { id: userId }, found);
  memory.check('users', user);
  if (!user.enabled) return undefined;
  const project = projectId === null ? null : await readProject(parts, memory, projectId);
  if (project === undefined) return undefined;
  const assignments = await readAssignments(parts, user);
  const granted = assignments.filter(
    ({ scope_kind, scope_id }) => scope_kind === 'project' && scope_id === projectId,
  );
  return { user, project, roles: granted.length === 0 ? [] : await readRoles(parts, granted) };
}

async function readProject(
  { keyring }: IdentityParts,
  memory: RevisionMemory,
  projectId: string,
): Promise<ProjectRow | undefined> {
  keyring.forgetProject(projectId);
  const project = await keyring.findProject(projectId);
  if (project === undefined) return undefined;
  memory.check('projects', project);
  return project.enabled && project.origin === 'local' ? project : undefined;
}

/** All assignments of a user. @throws CofferError `integrity_violation` when one was added, dropped or put back. */
export async function readAssignments(
  { db, keyring }: IdentityParts,
  user: UserRow,
): Promise<RoleAssignmentRow[]> {
  const rows = await listAssignments(db, user.id);
  const opened = await Promise.all(
    rows.map(async (row) => await openRow(keyring, 'role_assignments', { user_id: user.id }, row)),
  );
  const digest = digestAssignments(opened.map(({ id }) => id));
  if (Buffer.compare(digest, user.assignments_digest) !== 0) {
    throw new CofferError('integrity_violation', 'Integrity Violation');
  }
  return opened;
}

async function readRoles(
  { db, keyring }: IdentityParts,
  assignments: readonly RoleAssignmentRow[],
): Promise<RoleRow[]> {
  const wanted = new Set(assignments.map(({ role_id }) => role_id));
  const rows = (await listRoles(db)).filter(({ id }) => wanted.has(id));
  return await Promise.all(rows.map(async (row) => await openRow(keyring, 'roles', { id: row.id }, row)));
}
