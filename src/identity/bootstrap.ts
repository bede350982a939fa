import type { PasswordHasher } from '../crypto/password.ts';
import { CofferError } from '../errors.ts';
import { createProject, createRole, createUser, getProject, getRole, getUser } from './administration.ts';
import { assignRole } from './assignments.ts';
import type { UserRow } from '../db/schema.ts';
import { ROLE_NAMES } from './names.ts';
import { type IdentityParts, readUser } from './rights.ts';

const ADMINISTRATOR = 'admin';
/** Those in the project `admin`; the first is held on the system too. */
const ADMINISTRATOR_ROLES = ['admin', 'key-manager:service-admin'] as const;

/** The user `admin`, and whether all of the bootstrap is done. */
export async function findAdministrator(
  parts: IdentityParts,
): Promise<{ user: UserRow; isComplete: boolean } | undefined> {
  const user = await orUndefined(getUser(parts, ADMINISTRATOR));
  if (user === undefined) return undefined;
  const assignments = (await readUser(parts, user.id, null))?.assignments ?? [];
  return { user, isComplete: assignments.length > ADMINISTRATOR_ROLES.length };
}

/**
 * Makes roles, project and user `admin`, and its assignments. What is there is kept: it is run until it is
 * through.
 */
export async function bootstrapIdentity(
  parts: IdentityParts,
  passwords: PasswordHasher,
  readPassword: () => Promise<string>,
): Promise<void> {
  for (const name of ROLE_NAMES) {
    if ((await orUndefined(getRole(parts, name))) === undefined) await createRole(parts, name);
  }
  const project =
    (await orUndefined(getProject(parts, ADMINISTRATOR))) ?? (await createProject(parts, ADMINISTRATOR));
  const user =
    (await findAdministrator(parts))?.user ??
    (await createUser(parts, passwords, ADMINISTRATOR, await readPassword()));
  for (const name of ADMINISTRATOR_ROLES) await assignRole(parts, user, project, await getRole(parts, name));
  await assignRole(parts, user, null, await getRole(parts, ADMINISTRATOR_ROLES[0]));
}

async function orUndefined<T>(finding: Promise<T>): Promise<T | undefined> {
  try {
    return await finding;
  } catch (error) {
    if (error instanceof CofferError && error.code === 'not_found') return undefined;
    throw error;
  }
}
