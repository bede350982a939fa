import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Coffer } from '../coffer.ts';
import { callerOf } from '../http/caller.ts';
import { described } from '../http/documentation.ts';
import { onceJson } from '../http/json-body.ts';
import { refTo } from '../http/refs.ts';
import { documentAcl } from './openapi.ts';
import * as service from './service.ts';
import { formatAcl } from './wire.ts';

type Owner = Parameters<typeof service.getAcl>[2];

/** `/v1/secrets/:secretId/acl`, or the same of containers. */
export function registerAclRoutes<R extends Parameters<Owner['write']>[1]>(
  app: FastifyInstance,
  coffer: Coffer,
  owner: service.AclOwner<R>,
): void {
  const { collection, parameter, actions } = owner;
  const url = `/v1/${collection}/:${parameter}/acl`;
  const documentation = documentAcl(collection, parameter);
  const idOf = (request: FastifyRequest): string =>
    (request.params as Record<string, string>)[parameter] ?? '';
  const reference = (request: FastifyRequest) => ({
    acl_ref: `${refTo(coffer.publicUrl, collection, idOf(request))}/acl`,
  });
  const bodyOf = (request: FastifyRequest) => onceJson(request, coffer.limits.bodyBytesMax);

  app.get(url, { config: { action: actions.get }, ...described(documentation.get) }, async (request) =>
    formatAcl(await service.getAcl(coffer, callerOf(request), owner, idOf(request))),
  );

  app.put(
    url,
    { config: { action: actions.change }, ...described(documentation.replace) },
    async (request) => {
      await service.putAcl(coffer, callerOf(request), owner, idOf(request), bodyOf(request));
      return reference(request);
    },
  );

  app.patch(
    url,
    { config: { action: actions.change }, ...described(documentation.merge) },
    async (request) => {
      await service.patchAcl(coffer, callerOf(request), owner, idOf(request), bodyOf(request));
      return reference(request);
    },
  );

  app.delete(
    url,
    { config: { action: actions.remove, accept: 'any' }, ...described(documentation.remove) },
    async (request, reply) => {
      await service.deleteAcl(coffer, callerOf(request), owner, idOf(request));
      // Clients parse it: four bytes, where another deletion answers nothing.
      return await reply.type('application/json').send(Buffer.from('null'));
    },
  );
}
