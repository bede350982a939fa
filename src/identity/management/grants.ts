import type { ProjectRow, RoleRow } from '../../db/schema.ts';
import { CofferError } from '../../errors.ts';
import type { IdentityAction, IdentityTarget } from '../../policy/rules-identity.ts';
import { type Scope, scopeIdOf } from '../administration.ts';
import { addGrant, findAssignment, removeAssignments, untilCurrent } from '../assignments.ts';
import { DEFAULT_DOMAIN } from '../keystone-requests.ts';
import type { KnownUser } from '../rights.ts';
import { findProject, findRole, missing } from '../rows.ts';
import { holdAdministrator, isAdministrator } from './administrators.ts';
import { type Management, readTarget } from './management.ts';

type GrantVerb = 'check' | 'create' | 'revoke';

/** A user, a scope and a role as a path names them. */
export interface GrantPath {
  userId: string;
  scope: Scope;
  roleId: string;
}

interface Named {
  known: KnownUser;
  role: RoleRow;
  project: ProjectRow | null;
}

/** The roles that the user has in the scope: assigned, not implied. */
export async function listGrants(
  management: Management,
  { userId, scope }: Omit<GrantPath, 'roleId'>,
): Promise<RoleRow[]> {
  const action = scope.kind === 'system' ? 'identity:list_system_grants_for_user' : 'identity:list_grants';
  const { known } = await readNamed(management, action, { userId, scope });
  return known.assignments
    .filter(({ scope_kind, scope_id }) => scope_kind === scope.kind && scope_id === scopeIdOf(scope))
    .flatMap(({ role_id }) => known.roles.get(role_id) ?? []);
}

/** @throws CofferError `not_found` where the user does not have the role. */
export async function checkGrant(management: Management, path: GrantPath): Promise<void> {
  const { known } = await readGrant(management, 'check', path);
  if (findAssignment(known, path.scope, path.roleId) === undefined) throw noAssignment(path);
}

/** Gives the role; one that is there already is left as it is. */
export async function createGrant(management: Management, path: GrantPath): Promise<void> {
  await untilCurrent(async () => {
    const { known, role, project } = await readGrant(management, 'create', path);
    await addGrant(management, known, { scope: path.scope, role, project });
  });
}

/** @throws CofferError `not_found`; `forbidden` for the role of the last administrator. */
export async function revokeGrant(management: Management, path: GrantPath): Promise<void> {
  await untilCurrent(async () => {
    const { known, role } = await readGrant(management, 'revoke', path);
    const assignment = findAssignment(known, path.scope, path.roleId);
    if (assignment === undefined) throw noAssignment(path);
    const needsAnother = role.name === 'admin' && path.scope.kind !== 'domain' && isAdministrator(known);
    const holds = needsAnother
      ? await holdAdministrator(management, (_known, { id }) => id === assignment.id)
      : [];
    await removeAssignments(management, known, [assignment], holds);
  });
}

async function readGrant(management: Management, verb: GrantVerb, path: GrantPath): Promise<Named> {
  const action: IdentityAction =
    path.scope.kind === 'system' ? `identity:${verb}_system_grant_for_user` : `identity:${verb}_grant`;
  const { role, ...named } = await readNamed(management, action, path);
  return { ...named, role: role ?? missing('role', path.roleId) };
}

/** All that a path names, once the right to it is there. @throws CofferError `not_found`. */
async function readNamed(
  management: Management,
  action: IdentityAction,
  { userId, scope, roleId }: Omit<GrantPath, 'roleId'> & { roleId?: string },
): Promise<Omit<Named, 'role'> & { role: RoleRow | undefined }> {
  const [found, role, project] = await Promise.all([
    readTarget(management, userId),
    roleId === undefined ? undefined : findRole(management, roleId),
    scope.kind === 'project' ? findProject(management, scope.id) : undefined,
  ]);
  management.require(action, targetOf(scope, found?.target, role, project));
  if (roleId !== undefined && role === undefined) missing('role', roleId);
  if (found === undefined) missing('user', userId);
  if (scope.kind === 'project' && project === undefined) missing('project', scope.id);
  if (scope.kind === 'domain' && scope.id !== DEFAULT_DOMAIN.id) missing('domain', scope.id);
  return { known: found.known, role, project: project ?? null };
}

/** In a domain only where user and scope both are. */
function targetOf(
  scope: Scope,
  user: IdentityTarget | undefined,
  role: RoleRow | undefined,
  project: ProjectRow | undefined,
): IdentityTarget {
  const scopeDomain = scope.kind === 'domain' ? scope.id : project?.domain_id;
  const isInside = scopeDomain === DEFAULT_DOMAIN.id && user?.domainId === DEFAULT_DOMAIN.id;
  return {
    ...(isInside ? { domainId: DEFAULT_DOMAIN.id } : {}),
    ...(role === undefined ? {} : { roleName: role.name }),
  };
}

function noAssignment({ userId, scope, roleId }: GrantPath): CofferError {
  const target = scope.kind === 'system' ? 'system' : scope.id;
  return new CofferError(
    'not_found',
    `Could not find role assignment with role: ${roleId}, user or group: ${userId}, ` +
      `project, domain, or system: ${target}.`,
  );
}
