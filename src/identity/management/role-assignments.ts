import type { RoleRow, UserRow } from '../../db/schema.ts';
import { CofferError } from '../../errors.ts';
import { expandRoles } from '../../policy/actor.ts';
import { DEFAULT_DOMAIN } from '../keystone-requests.ts';
import { listUsersWithAssignments } from '../queries.ts';
import { type KnownUser, openUser } from '../rights.ts';
import { findProject, readRoles } from '../rows.ts';
import { isSet, type Query } from './filters.ts';
import { type Management, orLeftOut } from './management.ts';

export interface AssignmentFilter {
  userId?: string;
  roleId?: string;
  scopeKind?: 'project' | 'domain' | 'system';
  scopeId?: string;
  /** Implied roles too. */
  effective: boolean;
  includeNames: boolean;
}

/** A user's role in a scope, with the names of all where they were asked for. */
export interface FoundAssignment {
  user: UserRow;
  role: RoleRow;
  /** The role that was assigned, where this one is implied by it. */
  prior: RoleRow | null;
  scope: { kind: string; id: string; name: string | null };
}

/** @throws CofferError `bad_request` for filters that exclude each other; undefined where none can match. */
export function parseAssignmentFilter(query: Query): AssignmentFilter | undefined {
  const system = query['scope.system'];
  const domain = query['scope.domain.id'];
  const project = query['scope.project.id'];
  if (domain && project) throw refused('Specify a domain or project, not both');
  if (domain && system) throw refused('Specify system or domain, not both');
  if (project && system) throw refused('Specify system or project, not both');
  if (query['user.id'] && query['group.id']) throw refused('Specify a user or group, not both');
  if (query['group.id'] || query['scope.OS-INHERIT:inherited_to'] === 'projects') return undefined;
  return {
    ...(query['user.id'] ? { userId: query['user.id'] } : {}),
    ...(query['role.id'] ? { roleId: query['role.id'] } : {}),
    ...(project ? { scopeKind: 'project' as const, scopeId: project } : {}),
    ...(domain ? { scopeKind: 'domain' as const, scopeId: domain } : {}),
    ...(system ? { scopeKind: 'system' as const } : {}),
    effective: isSet(query, 'effective'),
    includeNames: isSet(query, 'include_names'),
  };
}

export async function listRoleAssignments(
  management: Management,
  readFilter: () => AssignmentFilter | undefined,
): Promise<FoundAssignment[]> {
  management.require('identity:list_role_assignments', { domainId: DEFAULT_DOMAIN.id });
  const filter = readFilter();
  if (filter === undefined) return [];
  const { roleId, ...asked } = filter;
  // A role that is implied is found by the roles that imply it.
  const found = await listUsersWithAssignments(management.db, {
    ...asked,
    ...(roleId === undefined || filter.effective ? {} : { roleId }),
  });
  const opened = await Promise.all(
    found.map(async (one) => {
      return await orLeftOut(management, 'role_assignments', async () => {
        return await openUser(management.keyring, one, one.user.id, null);
      });
    }),
  );
  const roles = filter.effective ? await readRoles(management) : [];
  const assignments = opened.flat().flatMap((known) => assignmentsOf(known, filter, roles));
  return filter.includeNames ? await withProjectNames(management, assignments) : assignments;
}

function assignmentsOf(
  { user, assignments, roles }: KnownUser,
  filter: AssignmentFilter,
  allRoles: readonly RoleRow[],
): FoundAssignment[] {
  const { scopeKind, scopeId } = filter;
  const matching = assignments.filter(
    ({ scope_kind, scope_id }) =>
      (scopeKind === undefined || scope_kind === scopeKind) &&
      (scopeId === undefined || scope_id === scopeId),
  );
  const found = matching.flatMap(({ scope_kind, scope_id, role_id }) => {
    const role = roles.get(role_id);
    if (role === undefined) return [];
    const scope = { kind: scope_kind, id: scope_id, name: null };
    return [{ user, role, prior: null, scope }, ...impliedBy({ user, role, prior: null, scope }, allRoles)];
  });
  const wanted = found.filter(({ role }) => filter.roleId === undefined || role.id === filter.roleId);
  return filter.effective ? once(wanted) : wanted;
}

function impliedBy(assigned: FoundAssignment, allRoles: readonly RoleRow[]): FoundAssignment[] {
  const names = allRoles.length === 0 ? [] : expandRoles([assigned.role.name]).slice(1);
  return allRoles
    .filter(({ name }) => names.includes(name))
    .map((role) => ({ ...assigned, role, prior: assigned.role }));
}

/** A role that is assigned and implied as well, or implied twice, is listed once: as assigned, if it is. */
function once(assignments: readonly FoundAssignment[]): FoundAssignment[] {
  const byRole = new Map<string, FoundAssignment>();
  for (const assignment of assignments) {
    const place = JSON.stringify([assignment.scope.kind, assignment.scope.id, assignment.role.id]);
    if (!byRole.has(place) || assignment.prior === null) byRole.set(place, assignment);
  }
  return [...byRole.values()];
}

/** An assignment in a project that is gone has nothing to name, and is left out. */
async function withProjectNames(
  management: Management,
  assignments: readonly FoundAssignment[],
): Promise<FoundAssignment[]> {
  const ids = assignments.flatMap(({ scope }) => (scope.kind === 'project' ? [scope.id] : []));
  const names = new Map<string, string | null>();
  for (const id of new Set(ids)) {
    const [project] = await orLeftOut(management, 'projects', async () => await findProject(management, id));
    if (project !== undefined) names.set(id, project.name);
  }
  return assignments.flatMap((assignment) => {
    const { scope } = assignment;
    if (scope.kind !== 'project') return [assignment];
    const name = names.get(scope.id);
    return name === undefined ? [] : [{ ...assignment, scope: { ...scope, name } }];
  });
}

function refused(message: string): CofferError {
  return new CofferError('bad_request', message);
}
