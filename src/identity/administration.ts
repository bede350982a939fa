import { randomUUID } from 'node:crypto';
import type { PasswordHasher } from '../crypto/password.ts';
import { SYSTEM_PROJECT } from '../db/layouts.ts';
import type { Queryable } from '../db/open.ts';
import type { ProjectRow, RoleRow, UserRow } from '../db/schema.ts';
import { insertRow, openRow, sealRow, StaleRow, updateRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { newProject } from '../keyring/projects.ts';
import { DEFAULT_DOMAIN } from './keystone-requests.ts';
import { nameKey, parseName } from './names.ts';
import { findProjectByName, findRoleByName, findUserByName } from './queries.ts';
import { digestAssignments, type IdentityParts, readUser } from './rights.ts';

export const IDENTITY_CHANNEL = 'coffer_identity';
/** The message on that channel that concerns revoked tokens, and not the rights of users. */
export const REVOKED = 'revoked';

/** The roles there are: Barbican's five, and those of secure RBAC. */
export const ROLE_NAMES = [
  'admin',
  'manager',
  'member',
  'reader',
  'creator',
  'observer',
  'audit',
  'key-manager:service-admin',
] as const;

const ATTEMPTS_MAX = 5;
const newId = (): string => randomUUID().replaceAll('-', '');

/** What every sealed row of identity has in common. */
async function commonColumns({ keyring, clock }: IdentityParts) {
  const system = await keyring.findProject(SYSTEM_PROJECT);
  if (system === undefined) throw new CofferError('integrity_violation', 'Integrity Violation');
  const created = clock.now();
  return { created, updated: created, revision: 1n, epoch: system.active_epoch };
}

/** Empties the caches of rights on every server. */
async function announce(db: Queryable): Promise<void> {
  await db.query({ text: `NOTIFY ${IDENTITY_CHANNEL}` });
}

/** @throws CofferError `conflict` when the name is taken. */
export async function createProject(parts: IdentityParts, text: string): Promise<ProjectRow> {
  const { name, key } = parseName(text, 'project');
  const { created, epoch } = await commonColumns(parts);
  const columns = { domain_id: DEFAULT_DOMAIN.id, name, name_key: key };
  const row = await sealRow(parts.keyring, 'projects', newProject(newId(), 'local', epoch, created, columns));
  await insertRow(parts.db, 'projects', row).catch(nameTaken('project', name));
  return row;
}

/** @throws CofferError `conflict` when the name is taken. */
export async function createUser(
  parts: IdentityParts,
  passwords: PasswordHasher,
  text: string,
  password: string,
): Promise<UserRow> {
  const { name, key } = parseName(text, 'user');
  const row = await sealRow(parts.keyring, 'users', {
    id: newId(),
    domain_id: DEFAULT_DOMAIN.id,
    name,
    name_key: key,
    email: null,
    description: null,
    enabled: true,
    password_hash: await passwords.hash(password),
    default_project_id: null,
    tokens_valid_from: null,
    assignments_digest: digestAssignments([]),
    ...(await commonColumns(parts)),
  });
  await insertRow(parts.db, 'users', row).catch(nameTaken('user', name));
  return row;
}

export async function createRole(parts: IdentityParts, name: string): Promise<RoleRow> {
  const columns = { id: newId(), name, name_key: nameKey(name), description: null };
  const row = await sealRow(parts.keyring, 'roles', { ...columns, ...(await commonColumns(parts)) });
  await insertRow(parts.db, 'roles', row);
  return row;
}

/** Gives a user a role in a project; one that is there already is left as it is. */
export async function assignRole(
  parts: IdentityParts,
  user: Pick<UserRow, 'id'>,
  project: Pick<ProjectRow, 'id'>,
  role: Pick<RoleRow, 'id'>,
): Promise<void> {
  const { db, keyring } = parts;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const known = await readUser(parts, user.id, null);
    if (known === undefined) throw new CofferError('not_found', 'There is no such user.');
    const { user: current, assignments } = known;
    const isThere = assignments.some(
      ({ scope_kind, scope_id, role_id }) =>
        scope_kind === 'project' && scope_id === project.id && role_id === role.id,
    );
    if (isThere) return;
    const assignment = await sealRow(keyring, 'role_assignments', {
      id: randomUUID(),
      user_id: user.id,
      scope_kind: 'project',
      scope_id: project.id,
      role_id: role.id,
      ...(await commonColumns(parts)),
    });
    const digest = digestAssignments([...assignments.map(({ id }) => id), assignment.id]);
    try {
      await db.transaction(async (tx) => {
        await updateRow(tx, keyring, 'users', current, {
          assignments_digest: digest,
          updated: parts.clock.now(),
        });
        await insertRow(tx, 'role_assignments', assignment);
        await announce(tx);
      });
      return;
    } catch (error) {
      if (!(error instanceof StaleRow)) throw error;
    }
  }
  throw new CofferError('unavailable', 'The user is being changed by others; try again.');
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

/** @throws CofferError `not_found`, with the names there are. */
export async function getRole(parts: IdentityParts, name: string): Promise<RoleRow> {
  const row = await findRoleByName(parts.db, nameKey(name));
  if (row === undefined) {
    throw new CofferError('not_found', `There is no role ${name}. There are: ${ROLE_NAMES.join(', ')}.`);
  }
  return await openRow(parts.keyring, 'roles', { name_key: nameKey(name) }, row);
}

function nameTaken(noun: string, name: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof CofferError && error.code === 'conflict')) throw error;
    throw new CofferError('conflict', `There is a ${noun} called ${name} already.`);
  };
}
