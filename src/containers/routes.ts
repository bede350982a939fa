import type { FastifyInstance } from 'fastify';
import type { Coffer } from '../coffer.ts';
import { callerOf } from '../http/caller.ts';
import { described } from '../http/documentation.ts';
import { onceJson } from '../http/json-body.ts';
import { envelope, readPage } from '../http/paging.ts';
import { refTo } from '../http/refs.ts';
import { parseContainerFilter } from './list-filter.ts';
import { containerDocumentation } from './openapi.ts';
import * as service from './service.ts';
import { addSecret, removeSecret } from './slots-service.ts';
import { formatContainer } from './wire.ts';

type Query = Record<string, string>;
type ContainerRoute = { Params: { containerId: string } };

export function registerContainerRoutes(app: FastifyInstance, coffer: Coffer): void {
  registerCollection(app, coffer);
  registerContainer(app, coffer);
  registerSlots(app, coffer);
}

function registerCollection(app: FastifyInstance, coffer: Coffer): void {
  const { publicUrl, limits } = coffer;

  app.post(
    '/v1/containers',
    { config: { action: 'containers:post' }, ...described(containerDocumentation.create) },
    async (request, reply) => {
      const readBody = onceJson(request, limits.bodyBytesMax);
      const id = await service.createContainer(coffer, callerOf(request), readBody);
      const reference = refTo(publicUrl, 'containers', id);
      return await reply.code(201).header('location', reference).send({ container_ref: reference });
    },
  );

  app.get<{ Querystring: Query }>(
    '/v1/containers',
    { config: { action: 'containers:get' }, ...described(containerDocumentation.list) },
    async (request) => {
      const { query } = request;
      const page = readPage(query, limits);
      const readFilter = () => parseContainerFilter(query);
      const { containers, total } = await service.listProjectContainers(
        coffer,
        callerOf(request),
        readFilter,
        page,
      );
      const items = containers.map((container) => formatContainer(container, publicUrl));
      return envelope('containers', { items, total }, { publicUrl, path: '/v1/containers', query, page });
    },
  );
}

function registerContainer(app: FastifyInstance, coffer: Coffer): void {
  app.get<ContainerRoute>(
    '/v1/containers/:containerId',
    { config: { action: 'container:get' }, ...described(containerDocumentation.get) },
    async (request) => {
      const { containerId } = request.params;
      const container = await service.getContainer(coffer, callerOf(request), containerId);
      return formatContainer(container, coffer.publicUrl);
    },
  );

  app.delete<ContainerRoute>(
    '/v1/containers/:containerId',
    { config: { action: 'container:delete', accept: 'any' }, ...described(containerDocumentation.remove) },
    async (request, reply) => {
      await service.deleteContainer(coffer, callerOf(request), request.params.containerId);
      return await reply.code(204).send();
    },
  );
}

function registerSlots(app: FastifyInstance, coffer: Coffer): void {
  const { bodyBytesMax } = coffer.limits;

  app.post<ContainerRoute>(
    '/v1/containers/:containerId/secrets',
    { config: { action: 'container_secret:post' }, ...described(containerDocumentation.addSecret) },
    async (request, reply) => {
      const { containerId } = request.params;
      await addSecret(coffer, callerOf(request), containerId, onceJson(request, bodyBytesMax));
      const reference = refTo(coffer.publicUrl, 'containers', containerId);
      return await reply.code(201).header('location', reference).send({ container_ref: reference });
    },
  );

  app.delete<ContainerRoute>(
    '/v1/containers/:containerId/secrets',
    {
      config: { action: 'container_secret:delete', accept: 'any' },
      ...described(containerDocumentation.removeSecret),
    },
    async (request, reply) => {
      const readBody = onceJson(request, bodyBytesMax, { anyType: true });
      await removeSecret(coffer, callerOf(request), request.params.containerId, readBody);
      return await reply.code(204).send();
    },
  );
}
