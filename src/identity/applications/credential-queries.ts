import { sealedColumns } from '../../db/layouts.ts';
import type { Lookup } from '../../db/lookup.ts';
import type { Db, Queryable } from '../../db/open.ts';
import type { AccessRuleRow, ApplicationCredentialRow, RedemptionRow, SealedTable } from '../../db/schema.ts';
import { type FoundUser, groupUser, prefixedColumns, rowOf } from '../queries.ts';

const columns = (table: SealedTable): string =>
  sealedColumns(table)
    .map((name) => `${table}.${name}`)
    .join(', ');

export interface FoundOwner extends FoundUser {
  credential: ApplicationCredentialRow;
  /** Whether the database's clock says that the credential has ended. */
  hasEnded: boolean;
}

const OWNED: readonly SealedTable[] = [
  'application_credentials',
  'users',
  'projects',
  'role_assignments',
  'roles',
];

const CREDENTIAL_WITH_OWNER: Lookup<Record<string, unknown>> = {
  name: 'application-credential-with-owner',
  text: `SELECT asked, coalesce(application_credentials.expires <= now(), false) AS has_ended,
      ${OWNED.map((table) => prefixedColumns(table)).join(', ')}
    FROM unnest($1::text[]) AS asked
    JOIN application_credentials ON application_credentials.id = asked
    LEFT JOIN users ON users.id = application_credentials.user_id
    LEFT JOIN projects ON projects.id = application_credentials.project_id
    LEFT JOIN role_assignments ON role_assignments.user_id = users.id
    LEFT JOIN roles ON roles.id = role_assignments.role_id`,
};

/** All that a log-in rests on, as it was at one moment; for all log-ins of a tick in one statement. */
export async function findCredentialWithOwner(db: Db, id: string): Promise<FoundOwner | undefined> {
  const rows = await db.lookupAll(CREDENTIAL_WITH_OWNER, id);
  const first = rows[0];
  const credential = first && rowOf('application_credentials', first);
  const owner = groupUser(rows);
  if (!credential || owner === undefined) return undefined;
  return { ...owner, credential, hasEnded: first['has_ended'] === true };
}

export async function findCredential(
  db: Queryable,
  id: string,
): Promise<ApplicationCredentialRow | undefined> {
  const { rows } = await db.query<ApplicationCredentialRow>({
    name: 'application-credential',
    text: `SELECT ${columns('application_credentials')} FROM application_credentials WHERE id = $1`,
    values: [id],
  });
  return rows[0];
}

export async function findCredentialByName(
  db: Queryable,
  userId: string,
  nameKey: string,
): Promise<ApplicationCredentialRow | undefined> {
  const { rows } = await db.query<ApplicationCredentialRow>({
    name: 'application-credential-by-name',
    text: `SELECT ${columns('application_credentials')} FROM application_credentials
      WHERE user_id = $1 AND name_key = $2`,
    values: [userId, nameKey],
  });
  return rows[0];
}

/** Those of one user, or everybody's for null. */
export async function listCredentials(
  db: Queryable,
  userId: string | null,
): Promise<ApplicationCredentialRow[]> {
  const { rows } = await db.query<ApplicationCredentialRow>({
    name: 'application-credentials',
    text: `SELECT ${columns('application_credentials')} FROM application_credentials
      WHERE $1::text IS NULL OR user_id = $1 ORDER BY created, id`,
    values: [userId],
  });
  return rows;
}

export async function countCredentials(db: Queryable, userId: string): Promise<number> {
  const { rows } = await db.query<{ count: bigint }>({
    name: 'application-credentials-count',
    text: 'SELECT count(*) FROM application_credentials WHERE user_id = $1',
    values: [userId],
  });
  return Number(rows[0]?.count ?? 0);
}

/** Names alone: what is under them is read, and verified, one by one. */
export async function listUserNames(db: Queryable, prefix: string): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>({
    name: 'user-names',
    text: `SELECT name FROM users WHERE starts_with(name_key, $1) ORDER BY name_key`,
    values: [prefix],
  });
  return rows.map(({ name }) => name);
}

export async function listAccessRules(db: Queryable, userId: string): Promise<AccessRuleRow[]> {
  const { rows } = await db.query<AccessRuleRow>({
    name: 'access-rules',
    text: `SELECT ${columns('access_rules')} FROM access_rules WHERE user_id = $1 ORDER BY created, id`,
    values: [userId],
  });
  return rows;
}

export async function findAccessRule(
  db: Queryable,
  userId: string,
  id: string,
): Promise<AccessRuleRow | undefined> {
  const { rows } = await db.query<AccessRuleRow>({
    name: 'access-rule',
    text: `SELECT ${columns('access_rules')} FROM access_rules WHERE user_id = $1 AND id = $2`,
    values: [userId, id],
  });
  return rows[0];
}

export interface FoundRedemption {
  redemption: RedemptionRow;
  credential: ApplicationCredentialRow | null;
}

/** By the code's hash; with its credential, both of one moment. */
export async function findRedemption(
  db: Queryable,
  codeHash: Uint8Array,
): Promise<FoundRedemption | undefined> {
  const { rows } = await db.query({
    name: 'redemption-by-code',
    text: `SELECT ${prefixedColumns('redemptions')}, ${prefixedColumns('application_credentials')}
      FROM redemptions
      LEFT JOIN application_credentials ON application_credentials.id = redemptions.application_credential_id
      WHERE code_hash = $1`,
    values: [codeHash],
  });
  const [row] = rows;
  const redemption = row && rowOf('redemptions', row);
  return redemption ? { redemption, credential: rowOf('application_credentials', row) } : undefined;
}

export async function listRedemptions(db: Queryable, credentialId: string): Promise<RedemptionRow[]> {
  const { rows } = await db.query<RedemptionRow>({
    name: 'redemptions-of-credential',
    text: `SELECT ${columns('redemptions')} FROM redemptions WHERE application_credential_id = $1`,
    values: [credentialId],
  });
  return rows;
}
