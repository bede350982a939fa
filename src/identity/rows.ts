import type { ProjectRow, RoleRow } from '../db/schema.ts';
import { openRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { findProjectById, findRoleById, listRoles } from './queries.ts';
import type { IdentityParts } from './rights.ts';

/** What an id of a project, user or role looks like: no other text is looked for. */
export function isId(text: string): boolean {
  return /^[\w-]{1,64}$/.test(text);
}

/** As the database has it now, verified; undefined for what is not there, going, or was not made here. */
export async function findProject(parts: IdentityParts, id: string): Promise<ProjectRow | undefined> {
  const row = isId(id) ? await findProjectById(parts.db, id) : undefined;
  if (row === undefined) return undefined;
  const project = await openRow(parts.keyring, 'projects', { id }, row);
  return project.origin === 'local' && project.deleted === null ? project : undefined;
}

export async function findRole(parts: IdentityParts, id: string): Promise<RoleRow | undefined> {
  const row = isId(id) ? await findRoleById(parts.db, id) : undefined;
  return row && (await openRow(parts.keyring, 'roles', { id }, row));
}

/** Those there are, all verified. */
export async function readRoles(parts: IdentityParts): Promise<RoleRow[]> {
  const rows = await listRoles(parts.db);
  return await Promise.all(
    rows.map(async (row) => await openRow(parts.keyring, 'roles', { id: row.id }, row)),
  );
}

/** @throws CofferError `not_found`. */
export async function getProjectById(parts: IdentityParts, id: string): Promise<ProjectRow> {
  return (await findProject(parts, id)) ?? missing('project', id);
}

/** @throws CofferError `not_found`. */
export async function getRoleById(parts: IdentityParts, id: string): Promise<RoleRow> {
  return (await findRole(parts, id)) ?? missing('role', id);
}

/** @throws CofferError `not_found`, in Keystone's words. */
export function missing(noun: string, id: string): never {
  throw new CofferError('not_found', `Could not find ${noun}: ${id}.`);
}
