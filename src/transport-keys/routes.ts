import type { FastifyInstance } from 'fastify';
import type { Coffer } from '../coffer.ts';
import { callerOf } from '../http/caller.ts';
import { described } from '../http/documentation.ts';
import { onceJson } from '../http/json-body.ts';
import { envelope, readPage } from '../http/paging.ts';
import { refTo } from '../http/refs.ts';
import { transportKeyDocumentation } from './openapi.ts';
import * as service from './service.ts';
import { formatTransportKey } from './wire.ts';

type KeyRoute = { Params: { transportKeyId: string } };

const ALL = '/v1/transport_keys';
const ONE = '/v1/transport_keys/:transportKeyId';

export function registerTransportKeyRoutes(app: FastifyInstance, coffer: Coffer): void {
  const { publicUrl, limits } = coffer;

  app.get<{ Querystring: Record<string, string> }>(
    ALL,
    { config: { action: 'transport_keys:get' }, ...described(transportKeyDocumentation.list) },
    async (request) => {
      const { query } = request;
      const page = readPage(query, limits);
      const { keys, total } = await service.listKeys(coffer, callerOf(request), query.plugin_name, page);
      const items = keys.map(({ id }) => refTo(publicUrl, 'transport_keys', id));
      return envelope('transport_keys', { items, total }, { publicUrl, path: ALL, query, page });
    },
  );

  app.post(
    ALL,
    { config: { action: 'transport_keys:post' }, ...described(transportKeyDocumentation.create) },
    async (request, reply) => {
      const readBody = onceJson(request, limits.bodyBytesMax);
      const id = await service.createKey(coffer, callerOf(request), readBody);
      const reference = refTo(publicUrl, 'transport_keys', id);
      return await reply.code(201).header('location', reference).send({ transport_key_ref: reference });
    },
  );

  app.get<KeyRoute>(
    ONE,
    { config: { action: 'transport_key:get' }, ...described(transportKeyDocumentation.get) },
    async (request) =>
      formatTransportKey(await service.getKey(coffer, callerOf(request), request.params.transportKeyId)),
  );

  app.delete<KeyRoute>(
    ONE,
    {
      config: { action: 'transport_key:delete', accept: 'any' },
      ...described(transportKeyDocumentation.remove),
    },
    async (request, reply) => {
      await service.deleteKey(coffer, callerOf(request), request.params.transportKeyId);
      return await reply.code(204).send();
    },
  );
}
