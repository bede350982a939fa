import { described } from '../../http/documentation.ts';
import type { Accounts } from '../identity.ts';
import { DEFAULT_DOMAIN } from '../keystone-requests.ts';
import { startAttempt } from '../login-attempt.ts';
import { missing } from '../rows.ts';
import { answerList, type Desk, manageFor, type Query, readOnce } from './asking.ts';
import { parseExtra, parseMember, PASSWORD_CHANGE, pick, requireSame, USER } from './bodies.ts';
import { parseListFilter } from './filters.ts';
import { describe } from './openapi.ts';
import { getTarget } from './management.ts';
import * as users from './users.ts';
import { formatProject, formatUser } from './wire.ts';

type UserRoute = { Params: { userId: string } };
const USERS = '/identity/v3/users';
const ONE = `${USERS}/:userId`;
const CHANGES = ['name', 'password', 'email', 'description', 'enabled', 'default_project_id'] as const;
const params = ['userId'];

export function registerUserRoutes(desk: Desk): void {
  registerUserLists(desk);
  registerUser(desk);
  registerPassword(desk, desk.accounts);
  registerBelongings(desk);
}

function registerUserLists(desk: Desk): void {
  const { app, base } = desk;
  const query = ['name', 'domain_id', 'enabled', 'limit', 'marker'];

  app.get<{ Querystring: Query }>(
    USERS,
    {
      config: { action: 'identity:list_users' },
      ...described(describe('List users', { query, done: { 200: 'The users' }, refused: [400] })),
    },
    async (request) => {
      const filter = parseListFilter(request.query);
      const { rows, next } = await users.listUsers(manageFor(desk, request), filter);
      const more = next === undefined || filter === undefined ? {} : { next, limit: filter.limit };
      const items = rows.map((row) => formatUser(base, row));
      return answerList(desk, request, 'users', items, more);
    },
  );

  const documentation = { body: ['user', USER, 'name'] as const, refused: [400, 409] };
  app.post(
    USERS,
    {
      config: { action: 'identity:create_user' },
      ...described(describe('Make a user', { ...documentation, done: { 201: 'The user' } })),
    },
    async (request, reply) => {
      const user = await users.createUser(manageFor(desk, request), readOnce(desk, request, parseNewUser));
      return await reply.code(201).send({ user: formatUser(base, user) });
    },
  );
}

function registerUser(desk: Desk): void {
  const { app, base } = desk;

  app.get<UserRoute>(
    ONE,
    {
      config: { action: 'identity:get_user' },
      ...described(describe('Show a user', { params, done: { 200: 'The user' }, refused: [404] })),
    },
    async (request) => {
      const user = await users.getUser(manageFor(desk, request), request.params.userId);
      return { user: formatUser(base, user) };
    },
  );

  const documentation = { params, body: ['user', USER] as const, refused: [400, 404, 409] };
  app.patch<UserRoute>(
    ONE,
    {
      config: { action: 'identity:update_user' },
      ...described(describe('Change a user', { ...documentation, done: { 200: 'The user as it is now' } })),
    },
    async (request) => {
      const { userId } = request.params;
      const read = readOnce(desk, request, (body) => {
        requireSame(body, 'user', userId);
        const changes = pick(parseMember(body, 'user', USER), CHANGES) as users.UserChanges;
        return { ...changes, extra: parseExtra(body, 'user', USER) };
      });
      const user = await users.updateUser(manageFor(desk, request), userId, read);
      return { user: formatUser(base, user) };
    },
  );

  app.delete<UserRoute>(
    ONE,
    {
      config: { action: 'identity:delete_user' },
      ...described(describe('Delete a user', { params, done: { 204: 'Gone' }, refused: [404] })),
    },
    async (request, reply) => {
      await users.deleteUser(manageFor(desk, request), request.params.userId);
      return await reply.code(204).send();
    },
  );
}

function registerPassword(desk: Desk, { verifyPassword }: Accounts): void {
  const required = ['original_password', 'password'];
  const body = ['user', PASSWORD_CHANGE, ...required] as const;
  const done = { 204: 'Changed; every token of before is dead' };

  desk.app.post<UserRoute>(
    `${ONE}/password`,
    {
      config: { action: 'identity:change_password' },
      ...described(describe("Change one's own password", { params, body, done, refused: [400] })),
    },
    async (request, reply) => {
      const read = readOnce(desk, request, (given) => {
        const { original_password, password } = parseMember(given, 'user', PASSWORD_CHANGE, required);
        return { original: String(original_password), password: String(password) };
      });
      const { userId: id } = request.params;
      const attempt = startAttempt({ source: request.ip, requestId: request.id }, 'password');
      const verify = async (original: string) => await verifyPassword({ id }, original, attempt);
      await users.changePassword(manageFor(desk, request), verify, id, read);
      return await reply.code(204).send();
    },
  );
}

function registerBelongings(desk: Desk): void {
  const { app, base } = desk;

  app.get<UserRoute>(
    `${ONE}/projects`,
    {
      config: { action: 'identity:list_user_projects' },
      ...described(
        describe('The projects in which a user has a role', {
          params,
          done: { 200: 'The projects' },
          refused: [404],
        }),
      ),
    },
    async (request) => {
      const projects = await users.listUserProjects(manageFor(desk, request), request.params.userId);
      const items = projects.map((project) => formatProject(base, project));
      return answerList(desk, request, 'projects', items);
    },
  );

  app.get<UserRoute>(
    `${ONE}/groups`,
    {
      config: { action: 'identity:list_groups_for_user' },
      ...described(
        describe('The groups of a user: there are none', {
          params,
          done: { 200: 'No group' },
          refused: [404],
        }),
      ),
    },
    async (request) => {
      await getTarget(manageFor(desk, request), 'identity:list_groups_for_user', request.params.userId);
      return answerList(desk, request, 'groups', []);
    },
  );
}

function parseNewUser(body: unknown): users.UserChanges & { name: string } {
  const wanted = parseMember(body, 'user', USER, ['name']);
  const { domain_id } = wanted;
  if (typeof domain_id === 'string' && domain_id !== DEFAULT_DOMAIN.id) missing('domain', domain_id);
  const known = pick(wanted, CHANGES) as users.UserChanges & { name: string };
  return { ...known, extra: parseExtra(body, 'user', USER) };
}
