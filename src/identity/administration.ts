import { randomUUID } from 'node:crypto';
import type { PasswordHasher } from '../crypto/password.ts';
import { IDENTITY_CHANNEL } from '../db/channels.ts';
import { SYSTEM_PROJECT } from '../db/layouts.ts';
import type { Queryable } from '../db/open.ts';
import type { ProjectRow, RoleRow, UserRow } from '../db/schema.ts';
import { type Hold, holdRows, insertRow, openRow, sealRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { newProject } from '../keyring/projects.ts';
import { DEFAULT_DOMAIN } from './keystone-requests.ts';
import { nameKey, parseName, parseUserName, ROLE_NAMES } from './names.ts';
import { findProjectByName, findRoleByName, findUserByName } from './queries.ts';
import { digestAssignments, type IdentityParts, type TokenScope } from './rights.ts';

/** The message on that channel that concerns revoked tokens, and not the rights of users. */
export const REVOKED = 'revoked';

export const newId = (): string => randomUUID().replaceAll('-', '');

/** What every sealed row of identity has in common. */
export async function commonColumns({ keyring, clock }: IdentityParts) {
  const system = await keyring.findProject(SYSTEM_PROJECT);
  if (system === undefined) throw new CofferError('integrity_violation', 'Integrity Violation');
  const created = clock.now();
  return { created, updated: created, revision: 1n, epoch: system.active_epoch };
}

/** Empties the caches of rights on every server. */
export async function announce(db: Queryable): Promise<void> {
  await db.query({ text: `NOTIFY ${IDENTITY_CHANNEL}` });
}

/** @throws CofferError `conflict` when the name is taken. */
export async function createProject(
  parts: IdentityParts,
  text: string,
  more: Partial<Pick<ProjectRow, 'description' | 'enabled' | 'extra'>> = {},
): Promise<ProjectRow> {
  const { name, key } = parseName(text, 'project');
  const { created, epoch } = await commonColumns(parts);
  const columns = { domain_id: DEFAULT_DOMAIN.id, name, name_key: key, ...more };
  const row = await sealRow(parts.keyring, 'projects', newProject(newId(), 'local', epoch, created, columns));
  await insertRow(parts.db, 'projects', row).catch(nameTaken('project', name));
  return row;
}

/** Where roles are held: in a project, the one domain, or all of the system. */
export type Scope = Exclude<TokenScope, { kind: 'unscoped' }>;

export const scopeIdOf = (scope: Scope): string => (scope.kind === 'system' ? 'all' : scope.id);

/** A role to give, with the verified rows that it rests on. */
export interface NewGrant {
  scope: Scope;
  role: RoleRow;
  /** Of a scope that is one. */
  project: ProjectRow | null;
}

type MoreOfUser = Partial<
  Pick<UserRow, 'email' | 'description' | 'enabled' | 'default_project_id' | 'extra'>
>;

interface WithUser {
  grants?: readonly NewGrant[];
  /** For an application or an issuer, whose names nobody else may have. */
  isMachine?: boolean;
  /** Writes what comes and goes with the user, in the same transaction. */
  beside?: (tx: Queryable, user: UserRow) => Promise<void>;
}

/**
 * Makes a user with the roles given, all of it or nothing.
 *
 * @throws CofferError `conflict` when the name is taken; StaleRow when a role or project changed meanwhile.
 */
export async function createUser(
  parts: IdentityParts,
  passwords: PasswordHasher,
  text: string,
  password: string | null,
  { grants = [], isMachine = false, beside, ...more }: MoreOfUser & WithUser = {},
): Promise<UserRow> {
  const { name, key } = isMachine ? parseName(text, 'user') : parseUserName(text);
  const id = newId();
  const password_hash = password === null ? null : await passwords.hash(password);
  const assignments = await Promise.all(grants.map(async (grant) => await sealGrant(parts, id, grant)));
  const row = await sealRow(parts.keyring, 'users', {
    id,
    domain_id: DEFAULT_DOMAIN.id,
    name,
    name_key: key,
    email: null,
    description: null,
    enabled: true,
    password_hash,
    default_project_id: null,
    tokens_valid_from: null,
    assignments_digest: digestAssignments(assignments.map((assignment) => assignment.id)),
    extra: null,
    ...more,
    ...(await commonColumns(parts)),
  });
  await parts.db.transaction(async (tx) => {
    await holdRows(tx, grants.flatMap(holdsOf));
    await insertRow(tx, 'users', row).catch(nameTaken('user', name));
    for (const assignment of assignments) await insertRow(tx, 'role_assignments', assignment);
    await beside?.(tx, row);
  });
  return row;
}

export async function sealGrant(parts: IdentityParts, userId: string, { scope, role }: NewGrant) {
  return await sealRow(parts.keyring, 'role_assignments', {
    id: randomUUID(),
    user_id: userId,
    scope_kind: scope.kind,
    scope_id: scopeIdOf(scope),
    role_id: role.id,
    ...(await commonColumns(parts)),
  });
}

/** What an assignment rests on: neither role nor project may go while it is made. */
export function holdsOf({ role, project }: NewGrant): Hold[] {
  const holds: Hold[] = [{ table: 'roles', row: role }];
  return project === null ? holds : [...holds, { table: 'projects', row: project }];
}

/** @throws CofferError `conflict` when the name is taken. */
export async function createRole(
  parts: IdentityParts,
  text: string,
  description: string | null = null,
): Promise<RoleRow> {
  const { name, key } = parseName(text, 'role');
  const columns = { id: newId(), name, name_key: key, description };
  const row = await sealRow(parts.keyring, 'roles', { ...columns, ...(await commonColumns(parts)) });
  await insertRow(parts.db, 'roles', row).catch(nameTaken('role', name));
  return row;
}

/** @throws CofferError `not_found`. */
export async function getProject(parts: IdentityParts, name: string): Promise<ProjectRow> {
  const asked = { domain_id: DEFAULT_DOMAIN.id, name_key: nameKey(name) };
  const row = await findProjectByName(parts.db, asked.domain_id, asked.name_key);
  if (row === undefined) throw new CofferError('not_found', `There is no project ${name}.`);
  return await openRow(parts.keyring, 'projects', asked, row);
}

/** @throws CofferError `not_found`. */
export async function getUser(parts: IdentityParts, name: string): Promise<UserRow> {
  const asked = { domain_id: DEFAULT_DOMAIN.id, name_key: nameKey(name) };
  const row = await findUserByName(parts.db, asked.domain_id, asked.name_key);
  if (row === undefined) throw new CofferError('not_found', `There is no user ${name}.`);
  return await openRow(parts.keyring, 'users', asked, row);
}

/** @throws CofferError `not_found`, with the names that are built in. */
export async function getRole(parts: IdentityParts, name: string): Promise<RoleRow> {
  const row = await findRoleByName(parts.db, nameKey(name));
  if (row === undefined) {
    throw new CofferError('not_found', `There is no role ${name}. There are: ${ROLE_NAMES.join(', ')}.`);
  }
  return await openRow(parts.keyring, 'roles', { name_key: nameKey(name) }, row);
}

export function nameTaken(noun: string, name: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof CofferError && error.code === 'conflict')) throw error;
    throw new CofferError('conflict', `There is a ${noun} called ${name} already.`);
  };
}
