import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

const V3 = '/identity/v3';
let one: StartedCoffer;
let two: StartedCoffer;
let admin: Person;
/** Ids by name. */
let roles: Record<string, string>;

beforeAll(async () => {
  one = await startCoffer();
  two = await startCoffer({ beside: one });
  admin = await one.person(['admin'], 'offices');
  const list = (await admin.client.get(`${V3}/roles`)).json.roles as { id: string; name: string }[];
  roles = Object.fromEntries(list.map(({ id, name }) => [name, id]));
});
afterAll(async () => {
  await two.stop();
  await one.stop();
});

const statuses = async (token: string, method = 'GET'): Promise<number[]> => {
  const asked = { headers: { 'x-auth-token': token } };
  const ask = async (server: StartedCoffer) =>
    (await server.stranger.send(method, '/v1/secrets', asked)).status;
  return await Promise.all([one, two].map(ask));
};

/** Both servers have read the rights a moment before: what they hold is as fresh as it gets. */
async function expectEnds(token: string, status: number, change: () => Promise<{ status: number }>) {
  expect(await statuses(token)).toEqual([200, 200]);
  expect((await change()).status).toBeLessThan(300);
  const started = performance.now();
  await vi.waitFor(async () => expect(await statuses(token)).toEqual([status, status]), {
    timeout: 5_900,
    interval: 50,
  });
  expect(performance.now() - started).toBeLessThan(5_000);
}

const patch = async (path: string, body: object) =>
  await admin.client.send('PATCH', `${V3}${path}`, { body });

describe('within 5 s on every server, a token is worth nothing', () => {
  it('after its user was disabled', async () => {
    const { userId, token } = await one.person(['creator'], 'demo');
    await expectEnds(token, 401, async () => await patch(`/users/${userId}`, { user: { enabled: false } }));
  });

  it('after its user was deleted', async () => {
    const { userId, token } = await one.person(['creator'], 'demo');
    await expectEnds(token, 401, async () => await admin.client.delete(`${V3}/users/${userId}`));
  });

  it('after an administrator set another password', async () => {
    const { userId, token } = await one.person(['creator'], 'demo');
    const user = { password: 'another password entirely' };
    await expectEnds(token, 401, async () => await patch(`/users/${userId}`, { user }));
  });

  it('after its user changed the password, and a new one is good at once', async () => {
    const { userId, token, client, name, password: original } = await one.person(['creator'], 'demo');
    const password = 'another password entirely';
    const user = { password, original_password: original };
    await expectEnds(token, 401, async () => await client.post(`${V3}/users/${userId}/password`, { user }));
    expect(await statuses(await two.logIn(name, password, 'demo'))).toEqual([200, 200]);
    await expect(one.logIn(name, original, 'demo')).rejects.toThrow('401');
  });

  it('after the last role of its project was taken', async () => {
    const { userId, projectId, token } = await one.person(['creator'], 'demo');
    const grant = `${V3}/projects/${projectId}/users/${userId}/roles/${roles['creator']}`;
    await expectEnds(token, 401, async () => await admin.client.delete(grant));
  });

  it('in what a role gave that was taken, and in the rest it is as before', async () => {
    const { userId, projectId, token } = await one.person(['creator', 'audit'], 'demo');
    const grant = `${V3}/projects/${projectId}/users/${userId}/roles/${roles['creator']}`;
    await expectEnds(token, 403, async () => await admin.client.delete(grant));
    const asked = { headers: { 'x-auth-token': token } };
    expect((await two.stranger.get('/v1', asked)).status).toBe(200);
  });

  it('after its project was disabled', async () => {
    const { projectId, token } = await one.person(['creator'], 'closing');
    const project = { enabled: false };
    await expectEnds(token, 401, async () => await patch(`/projects/${projectId}`, { project }));
  });

  it('after its project was deleted', async () => {
    const { projectId, token } = await one.person(['creator'], 'passing');
    await expectEnds(token, 401, async () => await admin.client.delete(`${V3}/projects/${projectId}`));
  });

  it('after it was revoked, though another server gave it', async () => {
    const { token } = await two.person(['creator'], 'demo');
    const headers = { 'x-auth-token': token, 'x-subject-token': token };
    await expectEnds(token, 401, async () => await one.stranger.delete(`${V3}/auth/tokens`, { headers }));
  });

  it('after its application credential was deleted', async () => {
    const { client, userId, token: own } = await one.person(['creator'], 'demo');
    const address = `${V3}/users/${userId}/application_credentials`;
    const made = await client.post(address, { application_credential: { name: 'shop' } });
    const { id, secret } = made.json.application_credential;
    const identity = { methods: ['application_credential'], application_credential: { id, secret } };
    const reply = await two.stranger.post(`${V3}/auth/tokens`, { auth: { identity } });
    const token = String(reply.headers['x-subject-token']);
    await expectEnds(token, 401, async () => await client.delete(`${address}/${id}`));
    expect(await statuses(own)).toEqual([200, 200]);
    expect((await two.stranger.post(`${V3}/auth/tokens`, { auth: { identity } })).status).toBe(401);
  });
});
