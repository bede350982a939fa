import { fastifySwagger } from '@fastify/swagger';
import Fastify from 'fastify';
import { expect, it } from 'vitest';
import { metadataDocumentation, secretDocumentation } from '../../src/secrets/openapi.ts';

it('is taken by the generator of /openapi.json, which shows the fields that are checked', async () => {
  const app = Fastify();
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => JSON.stringify);
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  await app.register(fastifySwagger, { openapi: { openapi: '3.1.0', info: { title: 'x', version: '1' } } });
  const at = (method: string, url: string, schema: object) =>
    app.route({ method, url, schema, handler: () => ({}) });
  at('POST', '/v1/secrets', secretDocumentation.create);
  at('GET', '/v1/secrets', secretDocumentation.list);
  at('GET', '/v1/secrets/:secretId', secretDocumentation.get);
  at('PUT', '/v1/secrets/:secretId', secretDocumentation.upload);
  at('DELETE', '/v1/secrets/:secretId', secretDocumentation.remove);
  at('GET', '/v1/secrets/:secretId/payload', secretDocumentation.payload);
  at('GET', '/v1/secrets/:secretId/metadata', metadataDocumentation.get);
  at('PUT', '/v1/secrets/:secretId/metadata', metadataDocumentation.replace);
  at('POST', '/v1/secrets/:secretId/metadata', metadataDocumentation.add);
  at('GET', '/v1/secrets/:secretId/metadata/:key', metadataDocumentation.getOne);
  at('PUT', '/v1/secrets/:secretId/metadata/:key', metadataDocumentation.changeOne);
  at('DELETE', '/v1/secrets/:secretId/metadata/:key', metadataDocumentation.removeOne);
  await app.ready();

  const document = JSON.parse(JSON.stringify(app.swagger()));
  await app.close();
  const fields = document.paths['/v1/secrets'].post.requestBody.content['application/json'].schema.properties;
  expect(fields.bit_length).toEqual({ type: 'integer', minimum: 1, maximum: 32_767 });
  expect(fields.name).toEqual({ type: ['string', 'null'], maxLength: 255 });
  const one = document.paths['/v1/secrets/{secretId}'];
  expect(Object.keys(one.put.requestBody.content)).toEqual(['application/octet-stream', 'text/plain']);
  expect(Object.keys(one.put.responses)).toEqual([
    '204',
    '400',
    '401',
    '403',
    '404',
    '409',
    '413',
    '415',
    '503',
  ]);
  expect(one.get.parameters[0]).toMatchObject({ in: 'path', name: 'secretId', required: true });
  const metadatum = document.paths['/v1/secrets/{secretId}/metadata/{key}'];
  expect(Object.keys(metadatum)).toEqual(['get', 'put', 'delete']);
});
