import type { RoleRow, UserRow } from '../../db/schema.ts';
import type { CofferError } from '../../errors.ts';
import { expandRoles } from '../../policy/actor.ts';
import { nameKey } from '../names.ts';
import { type IdentityParts, readUser } from '../rights.ts';
import type { GivenRole } from './credential-lists.ts';
import { invalid, type WantedRole } from './credential-requests.ts';
import type { CredentialDraft } from './credential-rows.ts';

/** Those asked for with all that they imply, or all of the token's. */
export function chooseRoles(
  wanted: readonly WantedRole[] | null,
  held: readonly string[],
  known: readonly RoleRow[],
): GivenRole[] {
  const names = expandRoles(wanted === null ? held : wanted.map((role) => nameOf(role, known)));
  if (names.some((name) => !held.includes(name))) {
    throw unassigned();
  }
  return names.flatMap((name) => {
    const role = known.find((one) => one.name === name);
    return role === undefined ? [] : [{ id: role.id, name }];
  });
}

function nameOf({ id, name }: WantedRole, known: readonly RoleRow[]): string {
  const role = known.find((one) => (id === undefined ? one.name_key === nameKey(name ?? '') : one.id === id));
  if (role === undefined) throw unassigned();
  return role.name;
}

/**
 * The user's row, while it gives the roles: a token knows them for a few seconds longer, and whoever takes
 * one deletes the credentials that are there.
 */
export async function requireRoles(
  parts: IdentityParts,
  { userId, projectId, roles }: CredentialDraft,
): Promise<UserRow> {
  const known = await readUser(parts, userId, projectId);
  const granted = known?.assignments.filter(
    ({ scope_kind, scope_id }) => scope_kind === 'project' && scope_id === projectId,
  );
  const names = granted?.flatMap(({ role_id }) => known?.roles.get(role_id)?.name ?? []) ?? [];
  const held = expandRoles(names);
  if (known === undefined || roles.some(({ name }) => !held.includes(name))) throw unassigned();
  return known.user;
}

function unassigned(): CofferError {
  return invalid('Cannot create an application credential with unassigned role');
}
