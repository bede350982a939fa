import { recordDecision } from '../../audit/record.ts';
import type { Coffer } from '../../coffer.ts';
import type { AccessRuleRow, ApplicationCredentialRow } from '../../db/schema.ts';
import { deleteRow, holdRows, openRow, StaleRow } from '../../db/sealed.ts';
import { CofferError } from '../../errors.ts';
import { requireProject } from '../../operation.ts';
import type { Actor, Caller } from '../../policy/actor.ts';
import { canManage, type IdentityAction } from '../../policy/rules-identity.ts';
import { nameKey } from '../names.ts';
import { readRoles } from '../rows.ts';
import { decodeAccessRules } from './credential-lists.ts';
import {
  findAccessRule,
  findCredential,
  findCredentialByName,
  listAccessRules,
  listCredentials,
} from './credential-queries.ts';
import { parseNewCredential } from './credential-requests.ts';
import { chooseRoles, requireRoles } from './credential-roles.ts';
import { insertCredential, removeCredential } from './credential-rows.ts';
import { makeSecret } from './credential-secret.ts';

const ATTEMPTS_MAX = 5;
const REFUSED = 'You are not authorized to perform the requested action';

/** The right to it, and that nothing else of the token stands against it: one decision, put on record. */
async function authorize(
  coffer: Coffer,
  caller: Caller,
  action: IdentityAction,
  userId: string,
  restriction?: (coffer: Coffer, actor: Actor) => Promise<string | undefined>,
): Promise<void> {
  const isAllowed = canManage(action, caller.actor, { userId });
  const refusal = isAllowed ? await restriction?.(coffer, caller.actor) : `${action}.`;
  recordDecision(coffer.log, caller, {
    action,
    allowed: refusal === undefined,
    subject: userId,
    subjectProject: caller.actor.projectId,
  });
  if (refusal !== undefined) throw new CofferError('forbidden', `${REFUSED}: ${refusal}`);
}

/**
 * A token of a credential that was not made for it, or of an issuer's JWT, makes and deletes none: what
 * leaked cannot stay.
 */
async function findRestriction(coffer: Coffer, actor: Actor): Promise<string | undefined> {
  if (actor.workload !== undefined)
    return 'A token of an issuer is not for managing application credentials.';
  if (actor.applicationCredentialId === null) return undefined;
  const asked = { id: actor.applicationCredentialId };
  const found = await findCredential(coffer.db, asked.id);
  const own = found && (await openRow(coffer.keyring, 'application_credentials', asked, found));
  if (own?.unrestricted === true) return undefined;
  return "Using method 'application_credential' is not allowed for managing additional application credentials.";
}

/** What it is made for is the project of the token. */
async function findObstacle(coffer: Coffer, actor: Actor): Promise<string | undefined> {
  const restriction = await findRestriction(coffer, actor);
  if (restriction !== undefined) return restriction;
  return actor.projectId === null ? 'a project-scoped token is required.' : undefined;
}

/** Runs it again when what it read was changed meanwhile, or what it was to make was made by another. */
async function again<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const isRace = error instanceof StaleRow || (error instanceof CofferError && error.code === 'conflict');
      if (!isRace) throw error;
      if (attempt < ATTEMPTS_MAX) continue;
      throw error instanceof StaleRow
        ? new CofferError('unavailable', 'It is being changed by others; try again.')
        : error;
    }
  }
}

/** The credential and, this once, its secret. Its roles are among those of the token that asks. */
export async function createCredential(
  coffer: Coffer,
  caller: Caller,
  userId: string,
  readBody: () => Promise<unknown>,
): Promise<{ row: ApplicationCredentialRow; secret: string }> {
  await authorize(coffer, caller, 'identity:create_application_credential', userId, findObstacle);
  const projectId = requireProject(caller);
  const wanted = parseNewCredential(await readBody(), coffer.clock.now());
  const roles = chooseRoles(wanted.roles, caller.actor.roles, await readRoles(coffer));
  const secret = wanted.secret ?? makeSecret('cofa');
  if ((await findCredentialByName(coffer.db, userId, nameKey(wanted.name))) !== undefined) {
    throw new CofferError('conflict', `There is an application credential called ${wanted.name} already.`);
  }
  const draft = { ...wanted, userId, projectId, secret, roles };
  const row = await again(async () => {
    const user = await requireRoles(coffer, draft);
    // One after the other, so that no two count the same.
    return await coffer.db.exclusive(`application-credentials/${userId}`, async (tx) => {
      await holdRows(tx, [{ table: 'users', row: user }]);
      return await insertCredential(coffer, tx, draft);
    });
  });
  return { row, secret };
}

/** Those whose rows verify; the others are counted. */
export async function listUserCredentials(
  coffer: Coffer,
  caller: Caller,
  userId: string,
  name: string | undefined,
): Promise<ApplicationCredentialRow[]> {
  await authorize(coffer, caller, 'identity:list_application_credentials', userId);
  const found = await listCredentials(coffer.db, userId);
  const asked = found.filter(({ name_key: key }) => name === undefined || key === nameKey(name));
  return await openEach(coffer, caller, 'application_credentials', userId, asked);
}

export async function getCredential(
  coffer: Coffer,
  caller: Caller,
  userId: string,
  id: string,
): Promise<ApplicationCredentialRow> {
  await authorize(coffer, caller, 'identity:get_application_credential', userId);
  return await loadCredential(coffer, userId, id);
}

/** Its tokens end with it, on every server within 5 s. */
export async function deleteCredential(
  coffer: Coffer,
  caller: Caller,
  userId: string,
  id: string,
): Promise<void> {
  await authorize(coffer, caller, 'identity:delete_application_credential', userId, findRestriction);
  await again(async () => {
    const row = await loadCredential(coffer, userId, id);
    await coffer.db.transaction(async (tx) => await removeCredential(coffer, tx, row));
  });
}

async function loadCredential(coffer: Coffer, userId: string, id: string): Promise<ApplicationCredentialRow> {
  const found = await findCredential(coffer.db, id);
  // Under another user's address it is not there.
  if (found === undefined || found.user_id !== userId) {
    throw new CofferError('not_found', `Could not find Application Credential: ${id}.`);
  }
  return await openRow(coffer.keyring, 'application_credentials', { id, user_id: userId }, found);
}

export interface RuleFilter {
  service?: string | undefined;
  method?: string | undefined;
  path?: string | undefined;
}

export async function listUserAccessRules(
  coffer: Coffer,
  caller: Caller,
  userId: string,
  filter: RuleFilter,
): Promise<AccessRuleRow[]> {
  await authorize(coffer, caller, 'identity:list_access_rules', userId);
  const found = await listAccessRules(coffer.db, userId);
  const asked = found.filter(
    ({ service, method, path }) =>
      (filter.service ?? service) === service &&
      (filter.method ?? method) === method &&
      (filter.path ?? path) === path,
  );
  return await openEach(coffer, caller, 'access_rules', userId, asked);
}

export async function getAccessRule(
  coffer: Coffer,
  caller: Caller,
  userId: string,
  id: string,
): Promise<AccessRuleRow> {
  await authorize(coffer, caller, 'identity:get_access_rule', userId);
  return await loadAccessRule(coffer, userId, id);
}

/** Not while a credential has it. What credentials may do stands in them, and does not change. */
export async function deleteAccessRule(
  coffer: Coffer,
  caller: Caller,
  userId: string,
  id: string,
): Promise<void> {
  await authorize(coffer, caller, 'identity:delete_access_rule', userId);
  await again(async () => {
    const rule = await loadAccessRule(coffer, userId, id);
    await coffer.db.transaction(async (tx) => {
      await holdRows(tx, [{ table: 'access_rules', row: rule, change: true }]);
      const credentials = await listCredentials(tx, userId);
      if (credentials.some((row) => decodeAccessRules(row.access_rules)?.some((one) => one.id === id))) {
        throw new CofferError('forbidden', 'May not delete access rule in use');
      }
      await deleteRow(tx, 'access_rules', rule);
    });
  });
}

async function loadAccessRule(coffer: Coffer, userId: string, id: string): Promise<AccessRuleRow> {
  const found = await findAccessRule(coffer.db, userId, id);
  if (found === undefined) throw new CofferError('not_found', `Could not find Access Rule: ${id}.`);
  return await openRow(coffer.keyring, 'access_rules', { id, user_id: userId }, found);
}

async function openEach<T extends 'application_credentials' | 'access_rules'>(
  coffer: Coffer,
  caller: Caller,
  table: T,
  userId: string,
  rows: readonly (T extends 'access_rules' ? AccessRuleRow : ApplicationCredentialRow)[],
) {
  const opened = rows.map(async (row) => {
    try {
      return [await openRow<T>(coffer.keyring, table, { user_id: userId } as never, row)];
    } catch (error) {
      if (!(error instanceof CofferError && error.code === 'integrity_violation')) throw error;
      coffer.integrityViolations.count(table, caller.requestId);
      return [];
    }
  });
  return (await Promise.all(opened)).flat();
}
