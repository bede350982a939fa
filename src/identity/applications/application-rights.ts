import type { ApplicationCredentialRow, RoleRow } from '../../db/schema.ts';
import { openRow } from '../../db/sealed.ts';
import type { RevisionMemory } from '../../db/revisions.ts';
import { CofferError } from '../../errors.ts';
import { expandRoles } from '../../policy/actor.ts';
import { type IdentityParts, isOpen, type KnownUser, openUser, type Rights } from '../rights.ts';
import { decodeAccessRules, decodeRoles, type GivenAccessRule } from './credential-lists.ts';
import { findCredentialWithOwner } from './credential-queries.ts';

/** The credential that a token came of, verified. */
export interface KnownCredential {
  row: ApplicationCredentialRow;
  accessRules: readonly GivenAccessRule[] | null;
}

export type ApplicationRights = Rights & { application: KnownCredential };

/**
 * What a credential gives: the roles that it was made with, as far as its owner still has them in its
 * project. One that is not there, disabled or ended, of an owner or project that is, gives undefined.
 *
 * @throws CofferError `integrity_violation` for rows that do not verify, or are older than what was seen
 *   before.
 */
export async function readApplicationRights(
  parts: IdentityParts,
  memory: RevisionMemory,
  credentialId: string,
): Promise<ApplicationRights | undefined> {
  const known = await readNewest(parts, memory, credentialId);
  if (known === undefined || known.hasEnded || !known.row.enabled) return undefined;
  const { user, project } = known;
  if (!user.enabled || !isOpen(project)) return undefined;
  const { row } = known;
  return {
    user,
    project,
    scope: { kind: 'project', id: project.id },
    roles: rolesInForce(row, known),
    application: { row, accessRules: decodeAccessRules(row.access_rules) },
  };
}

/** Ended means that the database's clock, or this server's, says so. */
export function isCredentialEnded({ expires }: ApplicationCredentialRow, now: Date): boolean {
  return expires !== null && expires <= now;
}

interface Found extends KnownUser {
  row: ApplicationCredentialRow;
  hasEnded: boolean;
}

/** An answer that a newer one overtook looks like an older row put back: it is asked for once more. */
async function readNewest(
  parts: IdentityParts,
  memory: RevisionMemory,
  credentialId: string,
): Promise<Found | undefined> {
  for (let isLast = false; ; isLast = true) {
    const found = await readCredential(parts, credentialId);
    if (found === undefined) return undefined;
    const isOld =
      memory.isOlder('application_credentials', found.row) ||
      memory.isOlder('users', found.user) ||
      (found.project !== null && memory.isOlder('projects', found.project));
    if (!isOld) return found;
    if (isLast) throw new CofferError('integrity_violation', 'Integrity Violation');
  }
}

async function readCredential(parts: IdentityParts, id: string): Promise<Found | undefined> {
  const found = await findCredentialWithOwner(parts.db, id);
  if (found === undefined) return undefined;
  const row = await openRow(parts.keyring, 'application_credentials', { id }, found.credential);
  const known = await openUser(parts.keyring, found, row.user_id, row.project_id);
  return { ...known, row, hasEnded: found.hasEnded || isCredentialEnded(row, parts.clock.now()) };
}

/**
 * By id, so that a role which was deleted and made anew is another one. What the owner has by implication
 * alone is known by name: only roles that are always there imply and are implied.
 */
function rolesInForce(row: ApplicationCredentialRow, { assignments, roles }: KnownUser): Rights['roles'] {
  const assigned = new Map<string, RoleRow>();
  for (const { scope_kind: kind, scope_id: scope, role_id: id } of assignments) {
    const role = roles.get(id);
    if (kind === 'project' && scope === row.project_id && role !== undefined) assigned.set(id, role);
  }
  const names = [...assigned.values()].map(({ name }) => name);
  const implied = new Set(expandRoles(names).filter((name) => !names.includes(name)));
  return decodeRoles(row.roles).flatMap((given) => {
    const role = assigned.get(given.id);
    if (role !== undefined) return [role];
    return implied.has(given.name) ? [given] : [];
  });
}
