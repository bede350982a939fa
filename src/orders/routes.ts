import type { FastifyInstance } from 'fastify';
import type { Coffer } from '../coffer.ts';
import { callerOf } from '../http/caller.ts';
import { described } from '../http/documentation.ts';
import { MethodNotAllowed } from '../http/errors.ts';
import { onceJson } from '../http/json-body.ts';
import { envelope, readPage } from '../http/paging.ts';
import { refTo } from '../http/refs.ts';
import { orderDocumentation } from './openapi.ts';
import * as service from './service.ts';
import { formatOrder } from './wire.ts';

type Query = Record<string, string>;
type OrderRoute = { Params: { orderId: string } };

export function registerOrderRoutes(app: FastifyInstance, coffer: Coffer): void {
  const { publicUrl, limits } = coffer;

  app.post(
    '/v1/orders',
    { config: { action: 'orders:post' }, ...described(orderDocumentation.create) },
    async (request, reply) => {
      const body = onceJson(request, limits.bodyBytesMax);
      const id = await service.createOrder(coffer, callerOf(request), body);
      const reference = refTo(publicUrl, 'orders', id);
      return await reply.code(202).header('location', reference).send({ order_ref: reference });
    },
  );

  app.get<{ Querystring: Query }>(
    '/v1/orders',
    { config: { action: 'orders:get' }, ...described(orderDocumentation.list) },
    async (request) => {
      const { query } = request;
      const page = readPage(query, limits);
      const part = query.meta === '' ? undefined : query.meta;
      const { orders, total } = await service.listProjectOrders(coffer, callerOf(request), part, page);
      const items = orders.map((order) => formatOrder(order, publicUrl));
      return envelope('orders', { items, total }, { publicUrl, path: '/v1/orders', query, page });
    },
  );

  app.put(
    '/v1/orders',
    { config: { action: 'orders:put' }, ...described(orderDocumentation.update) },
    async (request) => {
      const refuse = () => new MethodNotAllowed(['GET', 'POST'], 'Order update is not supported.');
      return await service.refuseUpdate(coffer, callerOf(request), refuse);
    },
  );

  app.get<OrderRoute>(
    '/v1/orders/:orderId',
    { config: { action: 'order:get' }, ...described(orderDocumentation.get) },
    async (request) => {
      const order = await service.getOrder(coffer, callerOf(request), request.params.orderId);
      return formatOrder(order, publicUrl);
    },
  );

  app.delete<OrderRoute>(
    '/v1/orders/:orderId',
    { config: { action: 'order:delete', accept: 'any' }, ...described(orderDocumentation.remove) },
    async (request, reply) => {
      await service.deleteOrder(coffer, callerOf(request), request.params.orderId);
      return await reply.code(204).send();
    },
  );
}
