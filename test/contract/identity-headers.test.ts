import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import type { Client } from './raw-http.ts';

let coffer: StartedCoffer;
let admin: Person;
let observer: Person;
let routes: [method: string, path: string][];

beforeAll(async () => {
  coffer = await startCoffer();
  admin = await coffer.person(['admin'], 'demo');
  observer = await coffer.person(['observer'], 'demo');
  const { paths } = (await coffer.stranger.get('/openapi.json')).json as { paths: Record<string, object> };
  routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method): [string, string] => [
      method.toUpperCase(),
      path.replaceAll(/\{\w+\}/g, '3b6c1a52-7d5e-4f0a-9c1b-2a3d4e5f6071'),
    ]),
  );
});
afterAll(async () => await coffer.stop());

/** What a proxy with keystonemiddleware would say of the administrator. */
const claims = () => ({
  'x-identity-status': 'Confirmed',
  'x-service-identity-status': 'Confirmed',
  'x-user-id': admin.userId,
  'x-user-name': admin.name,
  'x-user-domain-id': 'default',
  'x-project-id': admin.projectId,
  'x-tenant-id': admin.projectId,
  'x-domain-id': 'default',
  'x-system-scope': 'all',
  'openstack-system-scope': 'all',
  'x-roles': 'admin,creator,member,reader',
  'x-role': 'admin',
  'x-is-admin-project': 'True',
  'x-service-token': admin.token,
  'x-service-roles': 'admin,service',
  'x-forwarded-user': 'admin',
  'remote-user': 'admin',
  'x-forwarded-for': '127.0.0.1',
  'x-original-url': '/healthcheck',
  'x-rewrite-url': '/healthcheck',
  'x-http-method-override': 'GET',
});

async function statusesFor(client: Client, headers: Record<string, string>): Promise<string[]> {
  const seen: string[] = [];
  for (const [method, path] of routes) {
    const { status } = await client.send(method, path, { headers });
    seen.push(`${method} ${path} ${status}`);
  }
  return seen;
}

it('on no route do identity headers of a stranger do anything', async () => {
  expect(routes.length).toBeGreaterThan(60);
  const plain = await statusesFor(coffer.stranger, {});
  expect(await statusesFor(coffer.stranger, claims())).toEqual(plain);
  // Whether a server is sealed is for everybody to know.
  const open = ['GET /v2/sys/unseal 200'];
  expect(plain.filter((line) => / \/v[12]\b/.test(line) && / 2\d\d$/.test(line))).toEqual(open);
});

it('on no route do they add to what a token gives', async () => {
  const plain = await statusesFor(observer.client, {});
  expect(await statusesFor(observer.client, claims())).toEqual(plain);
  expect(plain.filter((line) => line.endsWith(' 403')).length).toBeGreaterThan(20);
});
