import type { FastifyInstance } from 'fastify';
import type { Coffer } from '../coffer.ts';
import { callerOf } from '../http/caller.ts';
import { described } from '../http/documentation.ts';
import { onceJson } from '../http/json-body.ts';
import { refTo } from '../http/refs.ts';
import { metadataDocumentation } from './openapi.ts';
import * as service from './metadata-service.ts';

type MetadataRoute = { Params: { secretId: string } };
type MetadatumRoute = { Params: { secretId: string; key: string } };

const ALL = '/v1/secrets/:secretId/metadata';
const ONE = '/v1/secrets/:secretId/metadata/:key';

export function registerMetadataRoutes(app: FastifyInstance, coffer: Coffer): void {
  registerCollection(app, coffer);
  registerItem(app, coffer);
}

function registerCollection(app: FastifyInstance, coffer: Coffer): void {
  const { bodyBytesMax } = coffer.limits;
  const reference = (secretId: string): string => `${refTo(coffer.publicUrl, 'secrets', secretId)}/metadata`;

  app.get<MetadataRoute>(
    ALL,
    { config: { action: 'secret_meta:get' }, ...described(metadataDocumentation.get) },
    async (request) => {
      const metadata = await service.getMetadata(coffer, callerOf(request), request.params.secretId);
      return { metadata: Object.fromEntries(metadata) };
    },
  );

  app.put<MetadataRoute>(
    ALL,
    { config: { action: 'secret_meta:put' }, ...described(metadataDocumentation.replace) },
    async (request, reply) => {
      const { secretId } = request.params;
      await service.putMetadata(coffer, callerOf(request), secretId, onceJson(request, bodyBytesMax));
      return await reply.code(201).send({ metadata_ref: reference(secretId) });
    },
  );

  app.post<MetadataRoute>(
    ALL,
    { config: { action: 'secret_meta:post' }, ...described(metadataDocumentation.add) },
    async (request, reply) => {
      const { secretId } = request.params;
      const added = await service.addMetadatum(
        coffer,
        callerOf(request),
        secretId,
        onceJson(request, bodyBytesMax),
      );
      return await reply
        .code(201)
        .header('location', `${reference(secretId)}/${added.key}`)
        .send(added);
    },
  );
}

function registerItem(app: FastifyInstance, coffer: Coffer): void {
  const { bodyBytesMax } = coffer.limits;

  app.get<MetadatumRoute>(
    ONE,
    { config: { action: 'secret_meta:get' }, ...described(metadataDocumentation.getOne) },
    async (request) => {
      const { secretId, key } = request.params;
      return await service.getMetadatum(coffer, callerOf(request), secretId, key);
    },
  );

  app.put<MetadatumRoute>(
    ONE,
    { config: { action: 'secret_meta:put' }, ...described(metadataDocumentation.changeOne) },
    async (request) => {
      const { secretId, key } = request.params;
      return await service.putMetadatum(
        coffer,
        callerOf(request),
        secretId,
        key,
        onceJson(request, bodyBytesMax),
      );
    },
  );

  app.delete<MetadatumRoute>(
    ONE,
    {
      config: { action: 'secret_meta:delete', accept: 'any' },
      ...described(metadataDocumentation.removeOne),
    },
    async (request, reply) => {
      const { secretId, key } = request.params;
      await service.removeMetadatum(coffer, callerOf(request), secretId, key);
      return await reply.code(204).send();
    },
  );
}
