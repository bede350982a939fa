import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Coffer } from '../coffer.ts';
import { callerOf } from '../http/caller.ts';
import { described } from '../http/documentation.ts';
import { onceJson } from '../http/json-body.ts';
import { envelope, readPage } from '../http/paging.ts';
import { formatTimestamp } from '../http/timestamps.ts';
import { documentConsumers } from './openapi.ts';
import { consumerFields, type ConsumerKind, type ConsumerRow } from './record.ts';
import * as service from './service.ts';

type Query = Record<string, string>;
type Parent = Parameters<Parameters<typeof service.addConsumer>[2]['describe']>[2];

/** `/v1/secrets/:secretId/consumers`, or the same of containers. */
export function registerConsumerRoutes<R extends Parent>(
  app: FastifyInstance,
  coffer: Coffer,
  owner: service.ConsumerOwner<R>,
): void {
  const { kind, collection, parameter, actions } = owner;
  const { publicUrl, limits } = coffer;
  const url = `/v1/${collection}/:${parameter}/consumers`;
  const documentation = documentConsumers(kind, collection, parameter);
  const idOf = (request: FastifyRequest): string =>
    (request.params as Record<string, string>)[parameter] ?? '';

  app.get<{ Querystring: Query }>(
    url,
    { config: { action: actions.get }, ...described(documentation.list) },
    async (request) => {
      const { query } = request;
      const page = readPage(query, limits);
      const id = idOf(request);
      const { rows, total } = await service.listConsumers(coffer, callerOf(request), owner, id, page);
      const items = rows.map((row) => formatConsumer(kind, row));
      const path = `/v1/${collection}/${id}/consumers`;
      return envelope('consumers', { items, total }, { publicUrl, path, query, page });
    },
  );

  app.post(
    url,
    { config: { action: actions.add }, ...described(documentation.add) },
    async (request, reply) => {
      const id = idOf(request);
      const body = onceJson(request, limits.bodyBytesMax);
      const parent = await service.addConsumer(coffer, callerOf(request), owner, id, body);
      // As Barbican writes it, whatever it may mean: nothing is at that address.
      return await reply.header('location', `${publicUrl}/v1/consumers/${id}/consumers`).send(parent);
    },
  );

  app.delete(
    url,
    { config: { action: actions.remove, accept: 'json' }, ...described(documentation.remove) },
    async (request) => {
      const body = onceJson(request, limits.bodyBytesMax);
      return await service.removeConsumer(coffer, callerOf(request), owner, idOf(request), body);
    },
  );

  app.get(
    `${url}/:consumerId`,
    { config: { action: 'consumer:get' }, ...described(documentation.getOne) },
    async (request) => await service.getConsumer(coffer, callerOf(request), owner, idOf(request)),
  );
}

function formatConsumer(kind: ConsumerKind, row: ConsumerRow): Record<string, unknown> {
  return {
    created: formatTimestamp(row.created),
    updated: formatTimestamp(row.updated),
    status: 'ACTIVE',
    ...consumerFields(kind, row),
  };
}
