import { CofferError } from '../../errors.ts';
import { described } from '../../http/documentation.ts';
import { answerList, type Desk, manageFor, type Query, readOnce } from './asking.ts';
import { parseMember, pick, requireSame, ROLE } from './bodies.ts';
import { describe } from './openapi.ts';
import * as roles from './roles.ts';
import { formatRole } from './wire.ts';

type RoleRoute = { Params: { roleId: string } };
const ROLES = '/identity/v3/roles';
const ONE = `${ROLES}/:roleId`;
const CHANGES = ['name', 'description'] as const;
const params = ['roleId'];

export function registerRoleRoutes(desk: Desk): void {
  registerRoleLists(desk);
  const { app, base } = desk;

  app.get<RoleRoute>(
    ONE,
    {
      config: { action: 'identity:get_role' },
      ...described(describe('Show a role', { params, done: { 200: 'The role' }, refused: [404] })),
    },
    async (request) => {
      const role = await roles.getRole(manageFor(desk, request), request.params.roleId);
      return { role: formatRole(base, role) };
    },
  );

  const documentation = { params, body: ['role', ROLE] as const, refused: [400, 404, 409] };
  app.patch<RoleRoute>(
    ONE,
    {
      config: { action: 'identity:update_role' },
      ...described(
        describe('Change a role of your own', { ...documentation, done: { 200: 'The role as it is now' } }),
      ),
    },
    async (request) => {
      const { roleId } = request.params;
      const read = readOnce(desk, request, (body) => {
        requireSame(body, 'role', roleId);
        return pick(parseMember(body, 'role', ROLE), CHANGES) as roles.RoleChanges;
      });
      const role = await roles.updateRole(manageFor(desk, request), roleId, read);
      return { role: formatRole(base, role) };
    },
  );

  app.delete<RoleRoute>(
    ONE,
    {
      config: { action: 'identity:delete_role' },
      ...described(describe('Delete a role of your own', { params, done: { 204: 'Gone' }, refused: [404] })),
    },
    async (request, reply) => {
      await roles.deleteRole(manageFor(desk, request), request.params.roleId);
      return await reply.code(204).send();
    },
  );
}

function registerRoleLists(desk: Desk): void {
  const { app, base } = desk;

  app.get<{ Querystring: Query }>(
    ROLES,
    {
      config: { action: 'identity:list_roles' },
      ...described(describe('List roles', { query: ['name', 'domain_id'], done: { 200: 'The roles' } })),
    },
    async (request) => {
      const { name, domain_id } = request.query;
      const found = await roles.listRoles(manageFor(desk, request), name);
      // Roles are of no domain: whoever asks for those of one gets none.
      const items = domain_id === undefined ? found.map((role) => formatRole(base, role)) : [];
      return answerList(desk, request, 'roles', items);
    },
  );

  const documentation = { body: ['role', ROLE, 'name'] as const, refused: [400, 409] };
  app.post(
    ROLES,
    {
      config: { action: 'identity:create_role' },
      ...described(describe('Make a role of your own', { ...documentation, done: { 201: 'The role' } })),
    },
    async (request, reply) => {
      const role = await roles.createRole(manageFor(desk, request), readOnce(desk, request, parseNewRole));
      return await reply.code(201).send({ role: formatRole(base, role) });
    },
  );
}

function parseNewRole(body: unknown): roles.RoleChanges & { name: string } {
  const wanted = parseMember(body, 'role', ROLE, ['name']);
  if (typeof wanted.domain_id === 'string') {
    throw new CofferError('bad_request', 'Roles of a domain are not supported.');
  }
  return pick(wanted, CHANGES) as roles.RoleChanges & { name: string };
}
