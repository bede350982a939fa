import type { FastifyRequest } from 'fastify';
import { described } from '../../http/documentation.ts';
import type { IdentityAction } from '../../policy/rules-identity.ts';
import type { Scope } from '../administration.ts';
import { answerList, type Desk, manageFor, type Query } from './asking.ts';
import * as grants from './grants.ts';
import { describe } from './openapi.ts';
import { isSet } from './filters.ts';
import { listRoleAssignments, parseAssignmentFilter } from './role-assignments.ts';
import { formatAssignment, formatRole } from './wire.ts';

type Params = { projectId?: string; domainId?: string; userId: string; roleId: string };
type GrantRequest = FastifyRequest<{ Params: Params }>;

interface Place {
  path: string;
  params: readonly string[];
  /** In a summary: `in a project`. */
  where: string;
  scope: (params: Params) => Scope;
  action: (verb: 'check' | 'create' | 'revoke') => IdentityAction;
  listing: IdentityAction;
}

const PLACES: readonly Place[] = [
  {
    path: '/identity/v3/projects/:projectId/users/:userId/roles',
    params: ['projectId', 'userId'],
    where: 'in a project',
    scope: ({ projectId = '' }) => ({ kind: 'project', id: projectId }),
    action: (verb) => `identity:${verb}_grant`,
    listing: 'identity:list_grants',
  },
  {
    path: '/identity/v3/domains/:domainId/users/:userId/roles',
    params: ['domainId', 'userId'],
    where: 'on the domain',
    scope: ({ domainId = '' }) => ({ kind: 'domain', id: domainId }),
    action: (verb) => `identity:${verb}_grant`,
    listing: 'identity:list_grants',
  },
  {
    path: '/identity/v3/system/users/:userId/roles',
    params: ['userId'],
    where: 'on the system',
    scope: () => ({ kind: 'system' }),
    action: (verb) => `identity:${verb}_system_grant_for_user`,
    listing: 'identity:list_system_grants_for_user',
  },
];

export function registerGrantRoutes(desk: Desk): void {
  for (const place of PLACES) {
    registerGrantList(desk, place);
    registerGrant(desk, place);
  }
  registerRoleAssignments(desk);
}

function registerGrantList(desk: Desk, { path, params, where, scope, listing }: Place): void {
  desk.app.get<{ Params: Params }>(
    path,
    {
      config: { action: listing },
      ...described(
        describe(`The roles of a user ${where}`, { params, done: { 200: 'The roles' }, refused: [404] }),
      ),
    },
    async (request) => {
      const asked = { userId: request.params.userId, scope: scope(request.params) };
      const roles = await grants.listGrants(manageFor(desk, request), asked);
      const items = roles.map((role) => formatRole(desk.base, role));
      return answerList(desk, request, 'roles', items);
    },
  );
}

function registerGrant(desk: Desk, { path, params, where, scope, action }: Place): void {
  const one = `${path}/:roleId`;
  const named = ({ params: given }: GrantRequest): grants.GrantPath => {
    return { userId: given.userId, roleId: given.roleId, scope: scope(given) };
  };
  const documented = (summary: string, status: string) =>
    described(
      describe(`${summary} ${where}`, {
        params: [...params, 'roleId'],
        done: { 204: status },
        refused: [404],
      }),
    );

  desk.app.route<{ Params: Params }>({
    method: ['GET', 'HEAD'],
    url: one,
    config: { action: action('check') },
    ...documented('Whether a user has a role', 'So it is'),
    handler: async (request, reply) => {
      await grants.checkGrant(manageFor(desk, request), named(request));
      return await reply.code(204).send();
    },
  });

  desk.app.put<{ Params: Params }>(
    one,
    { config: { action: action('create') }, ...documented('Give a user a role', 'The user has it') },
    async (request, reply) => {
      await grants.createGrant(manageFor(desk, request), named(request));
      return await reply.code(204).send();
    },
  );

  desk.app.delete<{ Params: Params }>(
    one,
    { config: { action: action('revoke') }, ...documented('Take a role from a user', 'Taken') },
    async (request, reply) => {
      await grants.revokeGrant(manageFor(desk, request), named(request));
      return await reply.code(204).send();
    },
  );
}

function registerRoleAssignments(desk: Desk): void {
  const query = [
    'user.id',
    'role.id',
    'group.id',
    'scope.project.id',
    'scope.domain.id',
    'scope.system',
    'effective',
    'include_names',
  ];

  desk.app.get<{ Querystring: Query }>(
    '/identity/v3/role_assignments',
    {
      config: { action: 'identity:list_role_assignments' },
      ...described(
        describe('Who has which role where', { query, done: { 200: 'The assignments' }, refused: [400] }),
      ),
    },
    async (request) => {
      const includeNames = isSet(request.query, 'include_names');
      const found = await listRoleAssignments(manageFor(desk, request), () =>
        parseAssignmentFilter(request.query),
      );
      const items = found.map((assignment) => formatAssignment(desk.base, assignment, includeNames));
      return answerList(desk, request, 'role_assignments', items);
    },
  );
}
