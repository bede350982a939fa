import type { RoleRow } from '../../db/schema.ts';
import { deleteRow, holdRows, sealRow, StaleRow, swapRow } from '../../db/sealed.ts';
import { CofferError } from '../../errors.ts';
import { expandRoles } from '../../policy/actor.ts';
import type { IdentityAction } from '../../policy/rules-identity.ts';
import * as administration from '../administration.ts';
import { announce, nameTaken } from '../administration.ts';
import { removeAssignments, untilCurrent } from '../assignments.ts';
import { DEFAULT_DOMAIN } from '../keystone-requests.ts';
import { nameKey, parseName, ROLE_NAMES } from '../names.ts';
import { listRoles as listRoleRows } from '../queries.ts';
import { readNewest } from '../rights.ts';
import { findRole, getRoleById, missing } from '../rows.ts';
import { type Management, openGenuine, type Read } from './management.ts';
import { listHolders } from './queries.ts';

export interface RoleChanges {
  name?: string;
  description?: string | null;
}

/** Those of which code and rules know: they stay as they are. */
export function isBuiltIn({ name }: Pick<RoleRow, 'name'>): boolean {
  return ROLE_NAMES.some((builtIn) => builtIn === name);
}

export async function listRoles(management: Management, name: string | undefined): Promise<RoleRow[]> {
  management.require('identity:list_roles', { domainId: DEFAULT_DOMAIN.id });
  const roles = await openGenuine(management, 'roles', await listRoleRows(management.db));
  const wanted = name === undefined ? undefined : nameKey(name);
  return inOrder(roles.filter(({ name_key }) => wanted === undefined || name_key === wanted));
}

export async function getRole(management: Management, id: string): Promise<RoleRow> {
  return await getAllowed(management, 'identity:get_role', id);
}

/** A role of one's own gives no right here; it is one that other services may know. */
export async function createRole(
  management: Management,
  readWanted: Read<RoleChanges & { name: string }>,
): Promise<RoleRow> {
  management.require('identity:create_role');
  const { name, description = null } = await readWanted();
  return await administration.createRole(management, name, description);
}

export async function updateRole(
  management: Management,
  id: string,
  readChanges: Read<RoleChanges>,
): Promise<RoleRow> {
  return await untilCurrent(async () => {
    const role = await getAllowed(management, 'identity:update_role', id);
    const { name, ...plain } = await readChanges();
    refuseBuiltIn(role, 'changed');
    const parsed = name === undefined ? undefined : parseName(name, 'role');
    const next = await sealRow(management.keyring, 'roles', {
      ...role,
      ...plain,
      ...(parsed === undefined ? {} : { name: parsed.name, name_key: parsed.key }),
      revision: role.revision + 1n,
      updated: management.clock.now(),
    });
    await management.db.transaction(async (tx) => {
      await swapRow(tx, 'roles', role, next).catch(nameTaken('role', name ?? ''));
      await announce(tx);
    });
    return next;
  });
}

/** Takes the role from everybody who has it, and then away. */
export async function deleteRole(management: Management, id: string): Promise<void> {
  await untilCurrent(async () => {
    const role = await getAllowed(management, 'identity:delete_role', id);
    refuseBuiltIn(role, 'deleted');
    for (const userId of await listHolders(management.db, id)) await takeRole(management, userId, id);
    await management.db.transaction(async (tx) => {
      // An assignment rests on the role's row: from here on there can be no new one.
      await holdRows(tx, [{ table: 'roles', row: role, change: true }]);
      if ((await listHolders(tx, id)).length > 0) throw new StaleRow();
      await deleteRow(tx, 'roles', role);
      await announce(tx);
    });
  });
}

async function takeRole(management: Management, userId: string, roleId: string): Promise<void> {
  await untilCurrent(async () => {
    const known = await readNewest(management, management.memory, userId, null);
    const gone = known?.assignments.filter(({ role_id }) => role_id === roleId) ?? [];
    if (known !== undefined && gone.length > 0) await removeAssignments(management, known, gone);
  });
}

/** A prior role, and those that it implies at one remove. */
export interface Inference {
  prior: RoleRow;
  implied: RoleRow[];
}

/** `admin` implies `manager`, that `member`, and that `reader`; there are no others. */
export async function listInferences(management: Management, action: IdentityAction): Promise<Inference[]> {
  management.require(action);
  const roles = await openGenuine(management, 'roles', await listRoleRows(management.db));
  return inOrder(roles).flatMap((prior) => {
    const next = expandRoles([prior.name])[1];
    const implied = roles.filter(({ name }) => name === next);
    return implied.length === 0 ? [] : [{ prior, implied }];
  });
}

/** @throws CofferError `not_found`. */
export async function getImplied(management: Management, priorId: string): Promise<Inference> {
  const inferences = await listInferences(management, 'identity:list_implied_roles');
  const prior = await getRoleById(management, priorId);
  return inferences.find((inference) => inference.prior.id === priorId) ?? { prior, implied: [] };
}

/** Two roles, and whether the one implies the other at one remove. @throws CofferError `not_found`. */
export async function comparePair(
  management: Management,
  action: IdentityAction,
  { priorId, impliedId }: { priorId: string; impliedId: string },
): Promise<{ prior: RoleRow; other: RoleRow; isImplied: boolean }> {
  management.require(action);
  const prior = await getRoleById(management, priorId);
  const other = await getRoleById(management, impliedId);
  return { prior, other, isImplied: expandRoles([prior.name])[1] === other.name };
}

async function getAllowed(management: Management, action: IdentityAction, id: string): Promise<RoleRow> {
  const role = await findRole(management, id);
  management.require(action, { domainId: DEFAULT_DOMAIN.id, ...(role && { roleName: role.name }) });
  return role ?? missing('role', id);
}

function refuseBuiltIn(role: RoleRow, what: string): void {
  if (isBuiltIn(role)) {
    throw new CofferError('forbidden', `The role ${role.name} is built in: it cannot be ${what}.`);
  }
}

function inOrder(roles: readonly RoleRow[]): RoleRow[] {
  const place = ({ name }: RoleRow): number => {
    const at = ROLE_NAMES.findIndex((builtIn) => builtIn === name);
    return at < 0 ? ROLE_NAMES.length : at;
  };
  return [...roles].sort((a, b) => place(a) - place(b) || (a.name_key < b.name_key ? -1 : 1));
}
