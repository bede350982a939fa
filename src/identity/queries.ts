import { sealedColumns } from '../db/layouts.ts';
import type { Lookup } from '../db/lookup.ts';
import type { Db, Queryable } from '../db/open.ts';
import type {
  ProjectRow,
  RevokedTokenRow,
  RoleAssignmentRow,
  RoleRow,
  SealedTable,
  SigningKeyRow,
  UserRow,
} from '../db/schema.ts';

const columns = (table: SealedTable): string =>
  sealedColumns(table)
    .map((name) => `${table}.${name}`)
    .join(', ');

const USER_BY_ID: Lookup<UserRow> = {
  name: 'user-by-id',
  text: `SELECT asked, ${columns('users')} FROM unnest($1::text[]) AS asked JOIN users ON users.id = asked`,
};

export async function findUser(db: Db, id: string): Promise<UserRow | undefined> {
  return await db.lookup(USER_BY_ID, id);
}

export async function findUserByName(
  db: Queryable,
  domainId: string,
  nameKey: string,
): Promise<UserRow | undefined> {
  const { rows } = await db.query<UserRow>({
    name: 'user-by-name',
    text: `SELECT ${columns('users')} FROM users WHERE domain_id = $1 AND name_key = $2`,
    values: [domainId, nameKey],
  });
  return rows[0];
}

export async function findProjectByName(
  db: Queryable,
  domainId: string,
  nameKey: string,
): Promise<ProjectRow | undefined> {
  const { rows } = await db.query<ProjectRow>({
    name: 'project-by-name',
    text: `SELECT ${columns('projects')} FROM projects WHERE domain_id = $1 AND name_key = $2`,
    values: [domainId, nameKey],
  });
  return rows[0];
}

export async function findRoleByName(db: Queryable, nameKey: string): Promise<RoleRow | undefined> {
  const { rows } = await db.query<RoleRow>({
    name: 'role-by-name',
    text: `SELECT ${columns('roles')} FROM roles WHERE name_key = $1`,
    values: [nameKey],
  });
  return rows[0];
}

/** A few rows, the same for everybody. */
export async function listRoles(db: Queryable): Promise<RoleRow[]> {
  const { rows } = await db.query<RoleRow>({ name: 'roles', text: `SELECT ${columns('roles')} FROM roles` });
  return rows;
}

/** All of a user's assignments: their digest stands in the user's row. */
export async function listAssignments(db: Queryable, userId: string): Promise<RoleAssignmentRow[]> {
  const { rows } = await db.query<RoleAssignmentRow>({
    name: 'assignments-of-user',
    text: `SELECT ${columns('role_assignments')} FROM role_assignments WHERE user_id = $1`,
    values: [userId],
  });
  return rows;
}

export type FoundSigningKey = SigningKeyRow & { payload_body: Uint8Array };

export async function listSigningKeys(db: Queryable): Promise<FoundSigningKey[]> {
  const { rows } = await db.query<FoundSigningKey>({
    name: 'signing-keys',
    text: `SELECT ${columns('signing_keys')}, payload_body FROM signing_keys WHERE not_after > now()`,
  });
  return rows;
}

/** Tokens that were revoked and have not ended. */
export async function listRevokedTokens(db: Queryable): Promise<RevokedTokenRow[]> {
  const { rows } = await db.query<RevokedTokenRow>({
    name: 'revoked-tokens',
    text: `SELECT ${columns('revoked_tokens')} FROM revoked_tokens WHERE expires > now()`,
  });
  return rows;
}

const LOCK_AFTER = 10;
const LOCK_SECONDS = 60;

/** Whether the user has failed too often of late. The database counts. */
export async function isThrottled(db: Queryable, userId: string): Promise<boolean> {
  const { rows } = await db.query({
    name: 'login-throttled',
    text: `SELECT FROM login_failures WHERE user_id = $1 AND failures >= ${LOCK_AFTER}
      AND last_failure > now() - interval '${LOCK_SECONDS} seconds'`,
    values: [userId],
  });
  return rows.length > 0;
}

export async function countLoginFailure(db: Queryable, userId: string): Promise<void> {
  await db.query({
    name: 'login-failed',
    text: `INSERT INTO login_failures AS known (user_id, failures, last_failure) VALUES ($1, 1, now())
      ON CONFLICT (user_id) DO UPDATE SET last_failure = now(), failures =
        CASE WHEN known.last_failure < now() - interval '${LOCK_SECONDS} seconds' THEN 1 ELSE known.failures + 1 END`,
    values: [userId],
  });
}

export async function forgetLoginFailures(db: Queryable, userId: string): Promise<void> {
  await db.query({
    name: 'login-succeeded',
    text: 'DELETE FROM login_failures WHERE user_id = $1',
    values: [userId],
  });
}
