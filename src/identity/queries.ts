import { sealedColumns } from '../db/layouts.ts';
import type { Lookup } from '../db/lookup.ts';
import type { Db, Queryable } from '../db/open.ts';
import type {
  ProjectRow,
  RevokedTokenRow,
  RoleAssignmentRow,
  RoleRow,
  SealedRows,
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

export async function findProjectById(db: Queryable, id: string): Promise<ProjectRow | undefined> {
  const text = `SELECT ${columns('projects')} FROM projects WHERE id = $1`;
  return (await db.query<ProjectRow>({ name: 'project-of-id', text, values: [id] })).rows[0];
}

export async function findRoleById(db: Queryable, id: string): Promise<RoleRow | undefined> {
  const text = `SELECT ${columns('roles')} FROM roles WHERE id = $1`;
  return (await db.query<RoleRow>({ name: 'role-of-id', text, values: [id] })).rows[0];
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

/** The columns of a table under names that tell them from those of the tables it is joined with. */
export const prefixedColumns = (table: SealedTable): string =>
  sealedColumns(table)
    .map((name) => `${table}.${name} AS "${table}.${name}"`)
    .join(', ');

export interface FoundUser {
  user: UserRow;
  /** Null where none was asked for, or there is none of that id. */
  project: ProjectRow | null;
  /** All of the user's: their digest stands in the user's row. */
  assignments: { assignment: RoleAssignmentRow; role: RoleRow | null }[];
}

const USER_TABLES = ['users', 'projects', 'role_assignments', 'roles'] as const;

/** One statement, so that all rows are of one moment: an assignment made meanwhile is no broken digest. */
export async function findUserWithAssignments(
  db: Queryable,
  userId: string,
  projectId: string | null,
): Promise<FoundUser | undefined> {
  const { rows } = await db.query({
    name: 'user-with-assignments',
    text: `SELECT ${USER_TABLES.map((table) => prefixedColumns(table)).join(', ')}
      FROM users
      LEFT JOIN projects ON projects.id = $2
      LEFT JOIN role_assignments ON role_assignments.user_id = users.id
      LEFT JOIN roles ON roles.id = role_assignments.role_id
      WHERE users.id = $1`,
    values: [userId, projectId],
  });
  return groupUser(rows);
}

/** One user out of the rows that a join with all assignments gives. */
export function groupUser(rows: readonly Record<string, unknown>[]): FoundUser | undefined {
  const [first] = rows;
  const user = first && rowOf('users', first);
  if (!user) return undefined;
  const assignments = rows.flatMap((row) => {
    const assignment = rowOf('role_assignments', row);
    return assignment === null ? [] : [{ assignment, role: rowOf('roles', row) }];
  });
  return { user, project: rowOf('projects', first), assignments };
}

const LISTED = ['users', 'role_assignments', 'roles'] as const;

/** Every user, or one, who has an assignment of that kind; with all assignments of theirs. */
export async function listUsersWithAssignments(
  db: Queryable,
  asked: { userId?: string; scopeKind?: string; scopeId?: string; roleId?: string },
): Promise<FoundUser[]> {
  const { rows } = await db.query({
    name: 'users-with-assignments',
    text: `SELECT ${LISTED.map((table) => prefixedColumns(table)).join(', ')}
      FROM users
      JOIN role_assignments ON role_assignments.user_id = users.id
      LEFT JOIN roles ON roles.id = role_assignments.role_id
      WHERE users.id IN (SELECT user_id FROM role_assignments AS wanted
        WHERE ($1::text IS NULL OR wanted.user_id = $1) AND ($2::text IS NULL OR wanted.scope_kind = $2)
          AND ($3::text IS NULL OR wanted.scope_id = $3) AND ($4::text IS NULL OR wanted.role_id = $4))
      ORDER BY users.id, role_assignments.created, role_assignments.id`,
    values: [asked.userId ?? null, asked.scopeKind ?? null, asked.scopeId ?? null, asked.roleId ?? null],
  });
  const users = new Map<string, FoundUser>();
  for (const row of rows) {
    const user = rowOf('users', row) as UserRow;
    const found = users.get(user.id) ?? { user, project: null, assignments: [] };
    const assignment = rowOf('role_assignments', row) as RoleAssignmentRow;
    found.assignments.push({ assignment, role: rowOf('roles', row) });
    users.set(user.id, found);
  }
  return [...users.values()];
}

/** The columns of one table out of a joined row; null where the join found nothing. */
export function rowOf<T extends SealedTable>(table: T, row: Record<string, unknown>): SealedRows[T] | null {
  if (row[`${table}.seal`] === null) return null;
  const columns: Record<string, unknown> = {};
  for (const name of sealedColumns(table)) columns[name] = row[`${table}.${name}`];
  return columns as unknown as SealedRows[T];
}

/** Those who have a role in a project, after the one given, as the database says it. */
export async function listUsersWithRolesIn(
  db: Queryable,
  projectId: string,
  after: string,
  limit: number,
): Promise<string[]> {
  const { rows } = await db.query<{ user_id: string }>({
    name: 'users-with-roles-in',
    text: `SELECT DISTINCT user_id FROM role_assignments
      WHERE scope_kind = 'project' AND scope_id = $1 AND user_id > $2 ORDER BY user_id LIMIT $3`,
    values: [projectId, after, limit],
  });
  return rows.map(({ user_id }) => user_id);
}

/** Assignments in a project whose user is gone stand in no digest. */
export async function deleteAssignmentsOfNobody(db: Queryable, projectId: string): Promise<void> {
  await db.query({
    name: 'delete-assignments-of-nobody',
    text: `DELETE FROM role_assignments WHERE scope_kind = 'project' AND scope_id = $1
      AND NOT EXISTS (SELECT FROM users WHERE users.id = user_id)`,
    values: [projectId],
  });
}

export type FoundSigningKey = SigningKeyRow & { payload_body: Uint8Array };

/** Those that ended of late too: a server that saw the end of one does not take its older row for it. */
export async function listSigningKeys(db: Queryable): Promise<FoundSigningKey[]> {
  const { rows } = await db.query<FoundSigningKey>({
    name: 'signing-keys',
    text: `SELECT ${columns('signing_keys')}, payload_body FROM signing_keys
      WHERE not_after > now() - interval '1 day'`,
  });
  return rows;
}

/** Tokens that did not end before yesterday and were revoked in the last `seconds`, or ever, for null. */
export async function listRevokedTokens(db: Queryable, seconds: number | null): Promise<RevokedTokenRow[]> {
  const { rows } = await db.query<RevokedTokenRow>({
    name: 'revoked-tokens',
    text: `SELECT ${columns('revoked_tokens')} FROM revoked_tokens
      WHERE expires > now() - interval '1 day'
        AND ($1::float8 IS NULL OR created > now() - make_interval(secs => $1))`,
    values: [seconds],
  });
  return rows;
}

/** The user's tokens that were revoked one by one and have not ended. */
export async function countRevocations(db: Queryable, userId: string): Promise<number> {
  const { rows } = await db.query<{ count: bigint }>({
    name: 'revocations-of-user',
    text: 'SELECT count(*) FROM revoked_tokens WHERE user_id = $1 AND expires > now()',
    values: [userId],
  });
  return Number(rows[0]?.count ?? 0);
}

/** Two days after a token ended, whatever the clocks, nothing rests on its revocation. */
export async function deleteEndedRevocations(db: Queryable): Promise<void> {
  await db.query({
    name: 'delete-ended-revocations',
    text: `DELETE FROM revoked_tokens WHERE expires < now() - interval '2 days'`,
    values: [],
  });
}

const LOCK_AFTER = 10;
const LOCK_SECONDS = 60;

/**
 * Counts a guess as a failure, which it is until it turns out right; or says that there were too many of late
 * from there. Those count no more: who is held back stays so no longer for trying. The database counts, one
 * guess after the other.
 */
export async function countGuess(db: Queryable, userId: string, source: string): Promise<boolean> {
  const isPast = `known.last_failure <= now() - interval '${LOCK_SECONDS} seconds'`;
  const { rows } = await db.query({
    name: 'login-counted',
    text: `INSERT INTO password_failures AS known (user_id, source, failures, last_failure)
      VALUES ($1, $2, 1, now())
      ON CONFLICT (user_id, source) DO UPDATE SET last_failure = now(), failures =
        CASE WHEN ${isPast} THEN 1 ELSE known.failures + 1 END
        WHERE known.failures < ${LOCK_AFTER} OR ${isPast}
      RETURNING failures`,
    values: [userId, source],
  });
  return rows.length > 0;
}

export async function forgetLoginFailures(db: Queryable, userId: string, source: string): Promise<void> {
  await db.query({
    name: 'login-succeeded',
    text: 'DELETE FROM password_failures WHERE user_id = $1 AND source = $2',
    values: [userId, source],
  });
}

/** What no longer holds anybody back. */
export async function deleteOldLoginFailures(db: Queryable): Promise<void> {
  await db.query({
    name: 'delete-old-login-failures',
    text: `DELETE FROM password_failures WHERE last_failure < now() - interval '${LOCK_SECONDS} seconds'`,
    values: [],
  });
}
