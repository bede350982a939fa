import { randomUUID } from 'node:crypto';
import type { Queryable } from '../../db/open.ts';
import type { AccessRuleRow, ApplicationCredentialRow } from '../../db/schema.ts';
import { deleteRow, holdRows, insertRow, openRow, sealRow } from '../../db/sealed.ts';
import { CofferError } from '../../errors.ts';
import { announce, commonColumns } from '../administration.ts';
import { nameKey } from '../names.ts';
import type { IdentityParts } from '../rights.ts';
import { encodeAccessRules, encodeRoles, type GivenAccessRule, type GivenRole } from './credential-lists.ts';
import { countCredentials, listAccessRules, listCredentials, listRedemptions } from './credential-queries.ts';
import type { WantedRule } from './credential-requests.ts';
import { hashSecret } from './credential-secret.ts';

export interface CredentialDraft {
  userId: string;
  projectId: string;
  name: string;
  description: string | null;
  /** Null while the application has not fetched it. */
  secret: string | null;
  roles: readonly GivenRole[];
  accessRules: readonly WantedRule[] | null;
  unrestricted: boolean;
  expires: Date | null;
}

/** Of one user: all that is listed at once, and deleted in one transaction with a role or with the user. */
const CREDENTIALS_MAX = 100;
const ACCESS_RULES_MAX = 1_000;

const newId = (): string => randomUUID().replaceAll('-', '');

/**
 * Nobody else makes one for the user meanwhile, or what is counted here would not hold.
 *
 * @throws CofferError `conflict` when the name is taken; `not_found` for a rule that is not the user's;
 *   `forbidden` when the user has as many as may be.
 */
export async function insertCredential(
  parts: IdentityParts,
  tx: Queryable,
  draft: CredentialDraft,
): Promise<ApplicationCredentialRow> {
  const { userId, name, secret } = draft;
  if ((await countCredentials(tx, userId)) >= CREDENTIALS_MAX) {
    throw exceeded('application credentials', CREDENTIALS_MAX);
  }
  const rules = draft.accessRules && (await settleRules(parts, tx, userId, draft.accessRules));
  const id = newId();
  const row = await sealRow(parts.keyring, 'application_credentials', {
    id,
    user_id: userId,
    project_id: draft.projectId,
    name,
    name_key: nameKey(name),
    description: draft.description,
    secret_hash: secret === null ? null : hashSecret(id, secret),
    roles: encodeRoles(draft.roles),
    access_rules: encodeAccessRules(rules),
    unrestricted: draft.unrestricted,
    expires: draft.expires,
    enabled: true,
    tokens_valid_from: null,
    ...(await commonColumns(parts)),
  });
  await insertRow(tx, 'application_credentials', row).catch((error: unknown) => {
    if (!(error instanceof CofferError && error.code === 'conflict')) throw error;
    throw new CofferError('conflict', `There is an application credential called ${name} already.`);
  });
  return row;
}

/** The rules with their ids: those that the user has already, and new ones. */
async function settleRules(
  parts: IdentityParts,
  tx: Queryable,
  userId: string,
  wanted: readonly WantedRule[],
): Promise<GivenAccessRule[]> {
  const all = await listAccessRules(tx, userId);
  // Of a thousand, those alone that are to be given.
  const asked = all.filter((row) => wanted.some((rule) => isSameRule(row, rule)));
  const rows = await openAccessRules(parts, userId, asked);
  const known: GivenAccessRule[] = [...rows];
  const settled = new Map<string, GivenAccessRule>();
  for (const rule of wanted) {
    const found = known.find((one) => isSameRule(one, rule));
    if (found === undefined && 'id' in rule) {
      throw new CofferError('not_found', `Could not find Access Rule: ${rule.id}.`);
    }
    const given = found ?? { id: newId(), ...(rule as Exclude<WantedRule, { id: string }>) };
    settled.set(given.id, given);
    if (found !== undefined) continue;
    const count = all.length + known.length - rows.length;
    if (count >= ACCESS_RULES_MAX) throw exceeded('access rules', ACCESS_RULES_MAX);
    known.push(given);
    const columns = { ...given, user_id: userId, ...(await commonColumns(parts)) };
    await insertRow(tx, 'access_rules', await sealRow(parts.keyring, 'access_rules', columns));
  }
  // Who deletes a rule looks for the credentials that have it.
  await holdRows(
    tx,
    rows.map((row) => ({ table: 'access_rules', row })),
  );
  return [...settled.values()];
}

/** In Keystone's words, which has the first. */
function exceeded(what: string, limit: number): CofferError {
  const reason = `maximum of ${limit} already exceeded for user.`;
  return new CofferError('forbidden', `Unable to create additional ${what}, ${reason}`);
}

function isSameRule(known: GivenAccessRule, wanted: WantedRule): boolean {
  if ('id' in wanted) return known.id === wanted.id;
  return known.service === wanted.service && known.method === wanted.method && known.path === wanted.path;
}

async function openAccessRules(
  { keyring }: IdentityParts,
  userId: string,
  rows: readonly AccessRuleRow[],
): Promise<AccessRuleRow[]> {
  return await Promise.all(
    rows.map(async (row) => await openRow(keyring, 'access_rules', { user_id: userId }, row)),
  );
}

/** Deletes a credential, and what was to be redeemed for it; every server is told. */
export async function removeCredential(
  { keyring }: IdentityParts,
  tx: Queryable,
  row: ApplicationCredentialRow,
): Promise<void> {
  for (const found of await listRedemptions(tx, row.id)) {
    const asked = { application_credential_id: row.id };
    await deleteRow(tx, 'redemptions', await openRow(keyring, 'redemptions', asked, found));
  }
  await deleteRow(tx, 'application_credentials', row);
  await announce(tx);
}

/**
 * Deletes a user's credentials, for one project or (null) all of them together with the user's access rules:
 * when a role is taken there, or the user goes.
 */
export async function removeCredentialsOfUser(
  parts: IdentityParts,
  tx: Queryable,
  userId: string,
  projectId: string | null,
): Promise<void> {
  for (const found of await listCredentials(tx, userId)) {
    if (projectId !== null && found.project_id !== projectId) continue;
    const row = await openRow(parts.keyring, 'application_credentials', { user_id: userId }, found);
    await removeCredential(parts, tx, row);
  }
  if (projectId !== null) return;
  for (const rule of await openAccessRules(parts, userId, await listAccessRules(tx, userId))) {
    await deleteRow(tx, 'access_rules', rule);
  }
}
