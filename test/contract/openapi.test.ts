import { afterAll, beforeAll, expect, it } from 'vitest';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

let coffer: StartedCoffer;
beforeAll(async () => {
  coffer = await startCoffer();
});
afterAll(async () => await coffer.stop());

/** `GET /v1/secrets`, of the router's own tree. */
function routesOf(tree: string): string[] {
  const parents: string[] = [];
  return tree
    .split('\n')
    .filter((line) => line.trim() !== '')
    .flatMap((line) => {
      const [, indent = '', text = '', methods] = /^([│├└─ ]*)(\S+)(?: \((.+)\))?$/.exec(line) ?? [];
      const depth = indent.length / 4;
      const path = (parents[depth - 1] ?? '') + text;
      parents[depth] = path;
      return methods?.split(', ').map((method) => `${method} ${path}`) ?? [];
    });
}

it('describes every route, and none besides, to anybody', async () => {
  const reply = await coffer.stranger.get('/openapi.json');
  expect([reply.status, reply.headers['content-type']]).toEqual([200, 'application/json']);
  const described = Object.entries<object>(reply.json.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`),
  );
  const routes = routesOf(coffer.server.app.printRoutes({ commonPrefix: false }));
  expect(routes).toContain('DELETE /v1/secrets/:secretId/metadata/:key');
  expect(described.sort()).toEqual(routes.sort());
});

it('says which operations need a token', async () => {
  const { paths } = (await coffer.stranger.get('/openapi.json')).json;
  expect(paths['/v1/secrets'].get.security).toEqual([{ token: [] }, { bearer: [] }]);
  expect(paths['/openapi.json'].get.security).toEqual([]);
});

it('shows the fields of a secret as they are checked', async () => {
  const { paths } = (await coffer.stranger.get('/openapi.json')).json;
  const body = paths['/v1/secrets'].post.requestBody.content['application/json'].schema;
  expect(body.properties.bit_length).toEqual({ type: 'integer', minimum: 1, maximum: 32_767 });
  expect(Object.keys(paths['/v1/secrets/{secretId}'].put.responses)).toContain('413');
});
