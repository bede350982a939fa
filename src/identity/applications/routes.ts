import type { FastifyInstance } from 'fastify';
import type { Coffer } from '../../coffer.ts';
import { callerOf } from '../../http/caller.ts';
import { onceJson } from '../../http/json-body.ts';
import type { Identity } from '../identity.ts';
import * as service from './service.ts';
import { formatAccessRule, formatCredential } from './wire.ts';

const CREDENTIALS = '/identity/v3/users/:userId/application_credentials';
const RULES = '/identity/v3/users/:userId/access_rules';

type Query = Record<string, string | undefined>;
type OfUser = { Params: { userId: string }; Querystring: Query };
type One = { Params: { userId: string; id: string } };

/** `/v3/users/{id}/application_credentials` and `…/access_rules`, as Keystone has them. */
export function registerApplicationRoutes(app: FastifyInstance, coffer: Coffer, identity: Identity): void {
  registerCredentials(app, coffer, identity);
  registerAccessRules(app, coffer);
}

function registerCredentials(app: FastifyInstance, coffer: Coffer, identity: Identity): void {
  const { publicUrl, limits } = coffer;
  const config = { actor: true } as const;

  app.post<OfUser>(CREDENTIALS, { config }, async (request, reply) => {
    const { row, secret } = await service.createCredential(
      coffer,
      callerOf(request),
      request.params.userId,
      onceJson(request, limits.bodyBytesMax),
      async () => await identity.listRoles(),
    );
    return await reply.code(201).send({ application_credential: formatCredential(row, publicUrl, secret) });
  });

  app.get<OfUser>(CREDENTIALS, { config }, async (request) => {
    const { userId } = request.params;
    const rows = await service.listUserCredentials(coffer, callerOf(request), userId, request.query['name']);
    return {
      application_credentials: rows.map((row) => formatCredential(row, publicUrl)),
      links: linksOf(`${publicUrl}/identity/v3/users/${userId}/application_credentials`),
    };
  });

  app.get<One>(`${CREDENTIALS}/:id`, { config }, async (request) => {
    const { userId, id } = request.params;
    const row = await service.getCredential(coffer, callerOf(request), userId, id);
    return { application_credential: formatCredential(row, publicUrl) };
  });

  app.delete<One>(`${CREDENTIALS}/:id`, { config }, async (request, reply) => {
    const { userId, id } = request.params;
    await service.deleteCredential(coffer, callerOf(request), userId, id);
    return await reply.code(204).send();
  });
}

function registerAccessRules(app: FastifyInstance, coffer: Coffer): void {
  const { publicUrl } = coffer;
  const config = { actor: true } as const;

  app.get<OfUser>(RULES, { config }, async (request) => {
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
  });

  app.get<One>(`${RULES}/:id`, { config }, async (request) => {
    const { userId, id } = request.params;
    const row = await service.getAccessRule(coffer, callerOf(request), userId, id);
    return { access_rule: formatAccessRule(row, publicUrl) };
  });

  app.delete<One>(`${RULES}/:id`, { config }, async (request, reply) => {
    const { userId, id } = request.params;
    await service.deleteAccessRule(coffer, callerOf(request), userId, id);
    return await reply.code(204).send();
  });
}

function linksOf(self: string): object {
  return { self, previous: null, next: null };
}
