import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Client, type Reply, rawClient } from '../contract/raw-http.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { within } from '../harness/within.ts';

const V3 = '/identity/v3';
let coffer: StartedCoffer;
let root: Client;
let rootId: string;
let adminRole: string;

/** The administrator that the bootstrap made, with admin in its project and on the system. */
beforeAll(async () => {
  coffer = await startCoffer();
  const openrc = readFileSync(join(coffer.env.COFFER_DATA_DIR ?? '', 'admin-openrc'), 'utf8');
  const password = /OS_PASSWORD=(\S+)/.exec(openrc)?.[1] ?? '';
  root = rawClient(coffer.url, await coffer.logIn('admin', password, 'admin'));
  rootId = (await root.get(`${V3}/users?name=admin`)).json.users[0].id as string;
  adminRole = (await root.get(`${V3}/roles?name=admin`)).json.roles[0].id as string;
});
afterAll(async () => await coffer.stop());

const patch = async (path: string, body: unknown): Promise<Reply> =>
  await root.send('PATCH', `${V3}${path}`, { body });

function expectRefused({ status, json }: Reply): void {
  expect([status, json.error?.message]).toEqual([403, expect.stringContaining('Nobody would be left')]);
}

describe('the last administrator', () => {
  let project: string;
  beforeAll(async () => {
    project = (await root.get(`${V3}/projects?name=admin`)).json.projects[0].id as string;
    // Admin in the domain, of someone disabled, or in a disabled project: none of it administers.
    const [one, two, three] = await Promise.all(
      ['reader', 'admin', 'admin'].map(async (role, at) => await coffer.person([role], `other-${at}`)),
    );
    await root.put(`${V3}/domains/default/users/${one?.userId}/roles/${adminRole}`);
    expect((await patch(`/users/${two?.userId}`, { user: { enabled: false } })).status).toBe(200);
    expect((await patch(`/projects/${three?.projectId}`, { project: { enabled: false } })).status).toBe(200);
  });

  it('is not disabled and not deleted', async () => {
    expectRefused(await patch(`/users/${rootId}`, { user: { enabled: false } }));
    expectRefused(await root.delete(`${V3}/users/${rootId}`));
    expect((await patch(`/users/${rootId}`, { user: { description: 'stays' } })).status).toBe(200);
  });

  it('keeps a password, whoever else administers without one', async () => {
    const other = await coffer.person(['admin'], 'passwordless');
    const changed = await patch(`/users/${other.userId}`, { user: { password: null } });
    expect(changed.status).toBe(200);
    expectRefused(await patch(`/users/${rootId}`, { user: { password: null } }));
    expectRefused(await patch(`/users/${rootId}`, { user: { enabled: false } }));
    expect((await root.get(`${V3}/users`)).status).toBe(200);
    expect((await root.delete(`${V3}/users/${other.userId}`)).status).toBe(204);
  });

  it('may lose one of two places, and not the other, nor the project of that', async () => {
    const grant = `${V3}/projects/${project}/users/${rootId}/roles/${adminRole}`;
    const onSystem = `${V3}/system/users/${rootId}/roles/${adminRole}`;
    expect((await root.delete(onSystem)).status).toBe(204);
    expectRefused(await root.delete(grant));
    expectRefused(await patch(`/projects/${project}`, { project: { enabled: false } }));
    expectRefused(await root.delete(`${V3}/projects/${project}`));
    expect((await root.get(`${V3}/projects/${project}`)).json.project.enabled).toBe(true);
    expect((await root.put(onSystem)).status).toBe(204);
    expect((await root.get(`${V3}/users`)).status).toBe(200);
  });
});

describe('two administrators who are the only ones', () => {
  let pair: Person[];
  beforeEach(async () => {
    pair = await Promise.all([coffer.person(['admin'], 'pair-1'), coffer.person(['admin'], 'pair-2')]);
    const project = (await root.get(`${V3}/projects?name=admin`)).json.projects[0].id as string;
    expect((await root.delete(`${V3}/system/users/${rootId}/roles/${adminRole}`)).status).toBe(204);
    expect((await root.delete(`${V3}/projects/${project}/users/${rootId}/roles/${adminRole}`)).status).toBe(
      204,
    );
  });

  /** What each does to the other, at the same moment, by whatever way. */
  const WAYS: [string, (by: Person, other: Person) => Promise<Reply>][] = [
    ['delete', async ({ client }, { userId }) => await client.delete(`${V3}/users/${userId}`)],
    [
      'disable',
      async ({ client }, { userId }) =>
        await client.send('PATCH', `${V3}/users/${userId}`, { body: { user: { enabled: false } } }),
    ],
    [
      'take the password from',
      async ({ client }, { userId }) =>
        await client.send('PATCH', `${V3}/users/${userId}`, { body: { user: { password: null } } }),
    ],
    [
      'take the role from',
      async ({ client }, { userId, projectId }) =>
        await client.delete(`${V3}/projects/${projectId}/users/${userId}/roles/${adminRole}`),
    ],
    [
      'close the project of',
      async ({ client }, { projectId }) =>
        await client.send('PATCH', `${V3}/projects/${projectId}`, { body: { project: { enabled: false } } }),
    ],
  ];

  it.each(WAYS)('cannot both %s the other at once', async (_name, remove) => {
    const [one, two] = pair as [Person, Person];
    const replies = await Promise.all([remove(one, two), remove(two, one)]);
    const won = replies.filter(({ status }) => status < 300);
    expect(won).toHaveLength(1);
    // Who comes so late that the other is through already has no token any more.
    const lost = replies.find(({ status }) => status >= 300) as Reply;
    if (lost.status !== 401) expectRefused(lost);
    await restore(replies[0].status < 300 ? one : two);
  });

  it('cannot remove each other in different ways at once', async () => {
    const [one, two] = pair as [Person, Person];
    const replies = await Promise.all([
      WAYS[2]?.[1](one, two) as Promise<Reply>,
      WAYS[1]?.[1](two, one) as Promise<Reply>,
    ]);
    expect(replies.filter(({ status }) => status < 300)).toHaveLength(1);
    await restore((replies[0]?.status ?? 500) < 300 ? one : two);
  });

  /** Who is left makes the administrator of the bootstrap one again, and is none after that. */
  async function restore({ client, userId }: Person): Promise<void> {
    expect((await client.put(`${V3}/system/users/${rootId}/roles/${adminRole}`)).status).toBe(204);
    const project = (await client.get(`${V3}/projects?name=admin`)).json.projects[0].id as string;
    const grant = `${V3}/projects/${project}/users/${rootId}/roles/${adminRole}`;
    expect((await client.put(grant)).status).toBe(204);
    await within(5_900, async () => expect((await root.get(`${V3}/users`)).status).toBe(200));
    expect((await root.delete(`${V3}/users/${userId}`)).status).toBe(204);
    for (const number of [1, 2]) {
      const found = (await root.get(`${V3}/projects?name=pair-${number}`)).json.projects as { id: string }[];
      for (const { id } of found) expect((await root.delete(`${V3}/projects/${id}`)).status).toBe(204);
    }
  }
});
