import type { FastifyInstance } from 'fastify';
import type { Coffer } from '../coffer.ts';
import { callerOf } from '../http/caller.ts';
import { described } from '../http/documentation.ts';
import { storeDocumentation } from './openapi.ts';
import * as service from './service.ts';
import { formatStore } from './wire.ts';

type StoreRoute = { Params: { storeId: string } };

const ALL = '/v1/secret-stores';
const ONE = '/v1/secret-stores/:storeId';

export function registerSecretStoreRoutes(app: FastifyInstance, coffer: Coffer): void {
  const onWire = (store: service.SecretStore): object => formatStore(store, coffer.publicUrl);

  app.get(
    ALL,
    { config: { action: 'secretstores:get' }, ...described(storeDocumentation.list) },
    async (request) => ({
      secret_stores: (await service.listStores(coffer, callerOf(request))).map(onWire),
    }),
  );

  app.get(
    `${ALL}/global-default`,
    { config: { action: 'secretstores:get_global_default' }, ...described(storeDocumentation.getDefault) },
    async (request) => onWire(await service.getDefaultStore(coffer, callerOf(request))),
  );

  app.get(
    `${ALL}/preferred`,
    { config: { action: 'secretstores:get_preferred' }, ...described(storeDocumentation.getPreferred) },
    async (request) => onWire(await service.getPreferredStore(coffer, callerOf(request))),
  );

  app.get<StoreRoute>(
    ONE,
    { config: { action: 'secretstore:get' }, ...described(storeDocumentation.get) },
    async (request) => onWire(await service.getStore(coffer, callerOf(request), request.params.storeId)),
  );

  app.post<StoreRoute>(
    `${ONE}/preferred`,
    {
      config: { action: 'secretstore_preferred:post', accept: 'any' },
      ...described(storeDocumentation.prefer),
    },
    async (request, reply) => {
      await service.preferStore(coffer, callerOf(request), request.params.storeId);
      return await reply.code(204).send();
    },
  );

  app.delete<StoreRoute>(
    `${ONE}/preferred`,
    {
      config: { action: 'secretstore_preferred:delete', accept: 'any' },
      ...described(storeDocumentation.removePreference),
    },
    async (request, reply) => {
      await service.removePreference(coffer, callerOf(request), request.params.storeId);
      return await reply.code(204).send();
    },
  );
}
