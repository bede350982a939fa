import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import type { Reply } from './raw-http.ts';

let coffer: StartedCoffer;
let admin: Person;
let paths: string[];

beforeAll(async () => {
  coffer = await startCoffer();
  admin = await coffer.person(['admin'], 'demo');
  const ids: Record<string, string> = {
    userId: admin.userId,
    projectId: admin.projectId,
    domainId: 'default',
    roleId: (await admin.client.get('/identity/v3/roles?name=admin')).json.roles[0].id as string,
  };
  const { paths: described } = (await coffer.stranger.get('/openapi.json')).json as {
    paths: Record<string, object>;
  };
  paths = Object.keys(described)
    .filter((path) => path.startsWith('/identity') && Object.hasOwn(described[path] ?? {}, 'get'))
    .map((path) => path.replaceAll(/\{(\w+)\}/g, (_text, name: string) => ids[name] ?? 'nothing'));
});
afterAll(async () => await coffer.stop());

function outline({ status, headers }: Reply): object {
  const { date: _date, 'x-openstack-request-id': _id, ...rest } = headers;
  return { status, ...rest };
}

it('HEAD answers each address of identity as GET does, without what it says', async () => {
  const statuses = new Set<number>();
  for (const path of paths) {
    // Of a token, HEAD says that it is good, and no more.
    if (path === '/identity/v3/auth/tokens') continue;
    const got = await admin.client.get(path);
    const head = await admin.client.send('HEAD', path);
    expect([path, outline(head), head.text]).toEqual([path, outline(got), '']);
    statuses.add(got.status);
  }
  expect(paths.length).toBeGreaterThan(35);
  expect(statuses).toEqual(new Set([200, 204, 300, 404]));
});

it('HEAD asks for what GET asks for', async () => {
  for (const path of paths) {
    const [got, head] = [await coffer.stranger.get(path), await coffer.stranger.send('HEAD', path)];
    expect([path, head.status]).toEqual([path, got.status]);
  }
});

it('HEAD is no method of the key-manager API', async () => {
  for (const path of ['/v1', '/v1/secrets', '/v1/orders', '/v1/quotas']) {
    const { status, headers } = await admin.client.send('HEAD', path);
    expect([path, status, headers['allow']]).toEqual([path, 405, expect.stringContaining('GET')]);
  }
});
