import { createHash } from 'node:crypto';
import type { Coffer } from '../coffer.ts';
import { encodeFields, list, uuid } from '../crypto/encoding.ts';
import type { IssuerRow, ProjectRow, RoleAssignmentRow, RoleRow, UserRow } from '../db/schema.ts';
import { openRow } from '../db/sealed.ts';
import type { RevisionMemory } from '../db/revisions.ts';
import { CofferError } from '../errors.ts';
import { DEFAULT_DOMAIN } from './keystone-requests.ts';
import type { KnownCredential } from './applications/application-rights.ts';
import { type FoundUser, findUserWithAssignments } from './queries.ts';

export type IdentityParts = Pick<Coffer, 'db' | 'keyring' | 'clock'>;

/** What roles are asked for. */
export type TokenScope =
  | { kind: 'project'; id: string }
  | { kind: 'domain'; id: string }
  | { kind: 'system' }
  | { kind: 'unscoped' };

/** A user with the roles in a scope, all verified. */
export interface Rights {
  user: UserRow;
  scope: TokenScope;
  /** That of the scope, where it is one. */
  project: ProjectRow | null;
  /** Assigned, not implied; those of an application credential as far as its owner has them. */
  roles: readonly Pick<RoleRow, 'id' | 'name'>[];
  /** Of a token that came of an application credential: what narrows it. */
  application?: KnownCredential;
  /** Of a token that was exchanged for a JWT: whose, and with it what the rights are held to. */
  issuer?: IssuerRow;
}

/** SHA-256 over the sorted ids of a user's assignments (FORMAT.md §4). */
export function digestAssignments(ids: readonly string[]): Buffer {
  const sorted = [...ids].sort().map((id) => uuid(id));
  return createHash('sha256')
    .update(encodeFields([list(sorted)]))
    .digest();
}

/** A user with all assignments, as they were at one moment, all verified. */
export interface KnownUser {
  user: UserRow;
  project: ProjectRow | null;
  assignments: readonly RoleAssignmentRow[];
  /** Those of the assignments, by id. */
  roles: ReadonlyMap<string, RoleRow>;
}

/**
 * @throws CofferError `integrity_violation` when a row, or an assignment more or less, is not what we wrote.
 */
export async function readUser(
  { db, keyring }: IdentityParts,
  userId: string,
  projectId: string | null,
): Promise<KnownUser | undefined> {
  const found = await findUserWithAssignments(db, userId, projectId);
  return found && (await openUser(keyring, found, userId, projectId));
}

/**
 * Accepts what was found of a user. @throws CofferError `integrity_violation` when a row, or an assignment
 * more or less, is not what we wrote.
 */
export async function openUser(
  keyring: IdentityParts['keyring'],
  found: FoundUser,
  userId: string,
  projectId: string | null,
): Promise<KnownUser> {
  const user = await openRow(keyring, 'users', { id: userId }, found.user);
  const project =
    projectId === null || found.project === null
      ? null
      : await openRow(keyring, 'projects', { id: projectId }, found.project);
  const roles = new Map<string, RoleRow>();
  const assignments = await Promise.all(
    found.assignments.map(async ({ assignment, role }) => {
      const opened = await openRow(keyring, 'role_assignments', { user_id: userId }, assignment);
      if (!roles.has(opened.role_id)) {
        roles.set(opened.role_id, await openRow(keyring, 'roles', { id: opened.role_id }, role ?? {}));
      }
      return opened;
    }),
  );
  const digest = digestAssignments(assignments.map(({ id }) => id));
  if (Buffer.compare(digest, user.assignments_digest) !== 0) throw violated();
  return { user, project, assignments, roles };
}

/**
 * Reads a user's rights in a scope anew. A user or project that is not there, disabled or of another origin,
 * or a domain that is not there, gives undefined.
 *
 * @throws CofferError `integrity_violation` for rows that do not verify, or are older than what was seen
 *   before.
 */
export async function readRights(
  parts: IdentityParts,
  memory: RevisionMemory,
  userId: string,
  scope: TokenScope,
): Promise<Rights | undefined> {
  const known = await readNewest(parts, memory, userId, scope.kind === 'project' ? scope.id : null);
  if (known?.user.enabled !== true) return undefined;
  const { user, project, assignments, roles } = known;
  if (scope.kind === 'project' && !isOpen(project)) return undefined;
  if (scope.kind === 'domain' && scope.id !== DEFAULT_DOMAIN.id) return undefined;
  const granted = assignments.filter((assignment) => isIn(scope, assignment));
  return { user, scope, project, roles: granted.flatMap(({ role_id }) => roles.get(role_id) ?? []) };
}

/** Whether a project may be worked in. */
export function isOpen(project: ProjectRow | null): project is ProjectRow {
  return project?.enabled === true && project.origin === 'local' && project.deleted === null;
}

function isIn(scope: TokenScope, { scope_kind, scope_id }: RoleAssignmentRow): boolean {
  if (scope.kind !== scope_kind) return false;
  return scope.kind === 'system' || (scope.kind !== 'unscoped' && scope.id === scope_id);
}

/** An answer that a newer one overtook looks like an older row put back: it is asked for once more. */
export async function readNewest(
  parts: IdentityParts,
  memory: RevisionMemory,
  userId: string,
  projectId: string | null,
): Promise<KnownUser | undefined> {
  for (let isLast = false; ; isLast = true) {
    const known = await readUser(parts, userId, projectId);
    if (known === undefined) return undefined;
    const isOld =
      memory.isOlder('users', known.user) ||
      (known.project !== null && memory.isOlder('projects', known.project));
    if (!isOld) return known;
    if (isLast) throw violated();
  }
}

function violated(): CofferError {
  return new CofferError('integrity_violation', 'Integrity Violation');
}
