import type { FastifyInstance } from 'fastify';
import type { Coffer } from '../../coffer.ts';
import { callerOf } from '../../http/caller.ts';
import { described } from '../../http/documentation.ts';
import { onceJson } from '../../http/json-body.ts';
import type { IdentityAction } from '../../policy/rules-identity.ts';
import { describe } from '../management/openapi.ts';
import * as service from './service.ts';
import { formatAccessRule, formatCredential } from './wire.ts';

const CREDENTIALS = '/identity/v3/users/:userId/application_credentials';
const RULES = '/identity/v3/users/:userId/access_rules';

const params = ['userId'];
const both = ['userId', 'id'];

type Query = Record<string, string | undefined>;
type OfUser = { Params: { userId: string }; Querystring: Query };
type One = { Params: { userId: string; id: string } };

/** `/v3/users/{id}/application_credentials` and `…/access_rules`, as Keystone has them. */
export function registerApplicationRoutes(app: FastifyInstance, coffer: Coffer): void {
  registerCredentials(app, coffer);
  registerCredential(app, coffer);
  registerAccessRules(app, coffer);
}

function registerCredentials(app: FastifyInstance, coffer: Coffer): void {
  const { publicUrl, limits } = coffer;

  app.post<OfUser>(
    CREDENTIALS,
    options(
      'identity:create_application_credential',
      'Make an application credential for oneself; the secret is answered this once',
      { params, done: { 201: 'The credential, with its secret' }, refused: [400, 404, 409, 413] },
    ),
    async (request, reply) => {
      const { row, secret } = await service.createCredential(
        coffer,
        callerOf(request),
        request.params.userId,
        onceJson(request, limits.bodyBytesMax),
      );
      return await reply.code(201).send({ application_credential: formatCredential(row, publicUrl, secret) });
    },
  );

  app.get<OfUser>(
    CREDENTIALS,
    options('identity:list_application_credentials', 'List the application credentials of a user', {
      params,
      query: ['name'],
      done: { 200: 'The credentials' },
    }),
    async (request) => {
      const { userId } = request.params;
      const rows = await service.listUserCredentials(
        coffer,
        callerOf(request),
        userId,
        request.query['name'],
      );
      return {
        application_credentials: rows.map((row) => formatCredential(row, publicUrl)),
        links: linksOf(`${publicUrl}/identity/v3/users/${userId}/application_credentials`),
      };
    },
  );
}

function registerCredential(app: FastifyInstance, coffer: Coffer): void {
  const { publicUrl } = coffer;

  app.get<One>(
    `${CREDENTIALS}/:id`,
    options('identity:get_application_credential', 'Show an application credential', {
      params: both,
      done: { 200: 'The credential' },
      refused: [404],
    }),
    async (request) => {
      const { userId, id } = request.params;
      const row = await service.getCredential(coffer, callerOf(request), userId, id);
      return { application_credential: formatCredential(row, publicUrl) };
    },
  );

  app.delete<One>(
    `${CREDENTIALS}/:id`,
    options('identity:delete_application_credential', 'Delete an application credential: its tokens end', {
      params: both,
      done: { 204: 'Deleted' },
      refused: [404],
    }),
    async (request, reply) => {
      const { userId, id } = request.params;
      await service.deleteCredential(coffer, callerOf(request), userId, id);
      return await reply.code(204).send();
    },
  );
}

function registerAccessRules(app: FastifyInstance, coffer: Coffer): void {
  const { publicUrl } = coffer;

  app.get<OfUser>(
    RULES,
    options('identity:list_access_rules', 'List the access rules of a user', {
      params,
      query: ['service', 'method', 'path'],
      done: { 200: 'The rules' },
    }),
    async (request) => {
      const { userId } = request.params;
      const { service: name, method, path } = request.query;
      const rows = await service.listUserAccessRules(coffer, callerOf(request), userId, {
        service: name,
        method,
        path,
      });
      return {
        access_rules: rows.map((row) => formatAccessRule(row, publicUrl)),
        links: linksOf(`${publicUrl}/identity/v3/users/${userId}/access_rules`),
      };
    },
  );

  app.get<One>(
    `${RULES}/:id`,
    options('identity:get_access_rule', 'Show an access rule', {
      params: both,
      done: { 200: 'The rule' },
      refused: [404],
    }),
    async (request) => {
      const { userId, id } = request.params;
      const row = await service.getAccessRule(coffer, callerOf(request), userId, id);
      return { access_rule: formatAccessRule(row, publicUrl) };
    },
  );

  app.delete<One>(
    `${RULES}/:id`,
    options('identity:delete_access_rule', 'Delete an access rule that no credential has', {
      params: both,
      done: { 204: 'Deleted' },
      refused: [404],
    }),
    async (request, reply) => {
      const { userId, id } = request.params;
      await service.deleteAccessRule(coffer, callerOf(request), userId, id);
      return await reply.code(204).send();
    },
  );
}

function options(
  action: Extract<IdentityAction, `${string}_${'application_credential' | 'access_rule'}${'' | 's'}`>,
  summary: string,
  description: Parameters<typeof describe>[1],
) {
  return { config: { action }, ...described(describe(summary, description)) };
}

function linksOf(self: string): object {
  return { self, previous: null, next: null };
}
