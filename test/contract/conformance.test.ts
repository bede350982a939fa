import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import type { Client } from './raw-http.ts';

let coffer: StartedCoffer;
let demo: Client;
let stranger: Client;
beforeAll(async () => {
  coffer = await startCoffer();
  stranger = coffer.stranger;
  demo = (await coffer.person(['creator', 'member'])).client;
});
afterAll(async () => await coffer.stop());

const TEXT = { payload_content_type: 'text/plain' };
const store = async (body: object): Promise<string> =>
  (await demo.post('/v1/secrets/', body)).json.secret_ref;
const put = async (ref: string, body: string, type?: string, encoding?: string) =>
  await demo.put(ref, body, { headers: { 'content-type': type, 'content-encoding': encoding } });

/** The steps of the contract's §12, by their numbers there. */
describe('the conformance script', () => {
  it('1–4: finds the versions, refuses an unknown one, and asks for a token', async () => {
    const root = await stranger.get('/', { headers: { accept: 'application/json' } });
    expect(root.status).toBe(300);
    expect(root.json.versions.values[0]).toMatchObject({ id: 'v1', status: 'stable' });
    const newer = await stranger.get('/', { version: '1.1', headers: { accept: 'application/json' } });
    expect(newer.status).toBe(300);
    expect(newer.json.versions[0].max_version).toBe('1.2');
    expect((await stranger.get('/', { version: '9.9' })).status).toBe(406);
    expect((await stranger.get('/v1/')).status).toBe(401);
  });

  it('5–10: stores a payload in one step and reads it back, once and for all', async () => {
    const stored = await demo.post('/v1/secrets/', { name: 'a', payload: ' hi ', ...TEXT });
    expect(stored.status).toBe(201);
    const ref = stored.json.secret_ref;
    expect(stored.headers.location).toBe(ref);
    expect(ref).toMatch(/\/v1\/secrets\/[0-9a-f-]{36}$/);
    const secret = (await demo.get(ref)).json;
    expect(Object.keys(secret)).toEqual([
      'created',
      'updated',
      'status',
      'name',
      'secret_type',
      'expiration',
      'algorithm',
      'bit_length',
      'mode',
      'creator_id',
      'content_types',
      'secret_ref',
    ]);
    expect(secret.content_types.default).toBe('text/plain');
    expect((await demo.get(ref, { version: '1.1' })).json.consumers).toEqual([]);
    const text = await demo.get(`${ref}/payload`, { headers: { accept: 'text/plain' } });
    expect([text.status, text.text]).toEqual([200, 'hi']);
    const bytes = await demo.get(`${ref}/payload`, { headers: { accept: 'application/octet-stream' } });
    expect([bytes.status, bytes.text]).toEqual([200, 'hi']);
    expect((await put(ref, 'x', 'text/plain')).status).toBe(409);
  });

  it('11–12: stores a payload in two steps, and not without a Content-Type', async () => {
    const ref = await store({});
    expect((await put(ref, 'aGk=')).status).toBe(415);
    expect((await put(ref, 'aGk=', 'application/octet-stream', 'base64')).status).toBe(204);
    expect((await demo.get(`${ref}/payload`)).text).toBe('hi');
  });

  it('13–15: refuses what is too large, of another type, or over before it begins', async () => {
    const tooLarge = await demo.post('/v1/secrets', { payload: 'x'.repeat(20_001), ...TEXT });
    expect(tooLarge.status).toBe(413);
    const foo = await demo.post('/v1/secrets', { payload: 'x', payload_content_type: 'text/foo' });
    expect(foo.status).toBe(400);
    expect(foo.json.description).toContain(
      "['text/plain', 'text/plain;charset=utf-8', 'text/plain; charset=utf-8', " +
        "'application/octet-stream', 'application/pkcs8']",
    );
    expect((await demo.post('/v1/secrets', { expiration: '2000-01-01' })).status).toBe(400);
  });

  it('16: lets a secret end', async () => {
    const expiration = new Date(Date.now() + 5_000).toISOString();
    const ref = await store({ name: 'ending', expiration });
    expect((await demo.get(ref)).status).toBe(200);
    await expect.poll(async () => (await demo.get(ref)).status, { timeout: 15_000 }).toBe(404);
    expect((await demo.get('/v1/secrets?name=ending')).json.total).toBe(0);
  });

  it('17–19: counts, filters, and refuses an order that it does not know', async () => {
    await store({ name: 'listed' });
    await store({ name: 'listed' });
    const { json } = await demo.get('/v1/secrets?limit=0&offset=0');
    expect(json.secrets.length).toBe(1);
    expect(json.total).toBeGreaterThan(1);
    expect((await demo.get('/v1/secrets?&name=listed')).json.total).toBe(2);
    expect((await demo.get('/v1/secrets?sort=bogus')).status).toBe(400);
  });

  it('20–21: keeps user metadata', async () => {
    const ref = await store({});
    expect((await demo.put(`${ref}/metadata`, { metadata: { A: '1' } })).status).toBe(201);
    expect((await demo.get(`${ref}/metadata`)).json).toEqual({ metadata: { a: '1' } });
    expect((await demo.post(`${ref}/metadata`, { key: 'a', value: '2' })).status).toBe(409);
    expect((await demo.put(`${ref}/metadata/a`, { key: 'b', value: '2' })).status).toBe(409);
    expect((await demo.delete(`${ref}/metadata/zz`)).status).toBe(204);
  });

  it('22–24: shares and hides a secret', async () => {
    const ref = await store({});
    expect((await demo.get(`${ref}/acl`)).json).toEqual({ read: { 'project-access': true } });
    const body = { read: { 'project-access': false } };
    expect((await demo.send('PATCH', `${ref}/acl`, { body })).status).toBe(200);
    expect((await demo.get(`${ref}/acl`)).json.read).toMatchObject({ users: [], 'project-access': false });
    const removed = await demo.delete(`${ref}/acl`);
    expect([removed.status, removed.text]).toEqual([200, 'null']);
  });

  it('25–26: keeps a secret that has consumers, at 1.2 and unless forced', async () => {
    const body = { service: 'nova', resource_type: 'SERVER', resource_id: '1' };
    const used = async (): Promise<string> => {
      const ref = await store({});
      for (let round = 0; round < 2; round += 1) {
        expect((await demo.post(`${ref}/consumers`, body)).status).toBe(200);
      }
      expect((await demo.get(`${ref}/consumers`)).json.total).toBe(1);
      return new URL(ref).pathname;
    };
    const first = await used();
    expect((await demo.send('DELETE', `${first}/consumers`, { body })).status).toBe(200);
    expect((await demo.delete(await used(), { version: '1.1' })).status).toBe(204);
    const last = await used();
    expect((await demo.delete(last, { version: '1.2' })).status).toBe(400);
    expect((await demo.delete(`${last}?force=true`, { version: '1.2' })).status).toBe(204);
  });

  it('27–28: fills containers by the rules of their type', async () => {
    const ref = await store({});
    const half = { type: 'rsa', secret_refs: [{ name: 'public_key', secret_ref: ref }] };
    const refused = await demo.post('/v1/containers', half);
    expect([refused.status, refused.json.description]).toEqual([
      400,
      expect.stringContaining('minimum required reference names'),
    ]);
    const made = await demo.post('/v1/containers', { type: 'generic', secret_refs: [] });
    const slots = `${new URL(made.json.container_ref).pathname}/secrets`;
    const slot = { name: 'one', secret_ref: ref };
    expect((await demo.post(slots, slot)).status).toBe(201);
    expect((await demo.post(slots, slot)).status).toBe(409);
    expect((await demo.delete(slots, { body: slot })).status).toBe(204);
    expect((await demo.delete(slots, { body: slot })).status).toBe(404);
  });

  it('29–30: takes no reference of another service or project, and keeps consumers', async () => {
    const container = async (secret_ref: string) =>
      await demo.post('/v1/containers', { type: 'generic', secret_refs: [{ name: 'one', secret_ref }] });
    const ref = await store({});
    expect((await container(`https://elsewhere.example${new URL(ref).pathname}`)).status).toBe(400);
    const { client: other } = await coffer.person(['creator', 'member'], 'neighbours');
    expect((await container((await other.post('/v1/secrets', {})).json.secret_ref)).status).toBe(404);
    const consumers = `${new URL((await container(ref)).json.container_ref).pathname}/consumers`;
    const body = { name: 'lbaas', URL: 'lbaas://region/lb/1' };
    expect((await demo.post(consumers, body)).status).toBe(200);
    expect((await demo.delete(consumers, { body })).status).toBe(200);
  });

  it('31–34: makes keys and pairs, and shows an order to its project alone', async () => {
    const order = async (type: string, meta: object) => {
      const made = await demo.post('/v1/orders/', { type, meta });
      expect(made.status).toBe(202);
      const status = async () => (await demo.get(made.json.order_ref)).json.status;
      await expect.poll(status, { timeout: 25_000 }).toBe('ACTIVE');
      return (await demo.get(made.json.order_ref)).json;
    };
    const key = await order('key', { algorithm: 'AES', bit_length: 256, mode: 'cbc' });
    expect(key.meta.algorithm).toBe('AES');
    expect((await demo.get(`${key.secret_ref}/payload`)).bytes).toHaveLength(32);
    for (const [type, meta] of [
      ['key', { algorithm: 'aes', bit_length: 255 }],
      ['key', { bit_length: 256 }],
      ['certificate', {}],
    ]) {
      expect((await demo.post('/v1/orders', { type, meta })).status).toBe(400);
    }
    const pair = await order('asymmetric', { algorithm: 'rsa', bit_length: 2048 });
    const box = (await demo.get(pair.container_ref)).json;
    expect([box.type, box.secret_refs.length]).toEqual(['rsa', 2]);
    const { client: other } = await coffer.person(['admin'], 'other');
    expect((await other.get(key.order_ref)).status).toBe(404);
  });

  it('35–36: holds a project to its quota, and has one secret store', async () => {
    const limited = await coffer.person(['creator'], 'limited');
    const all = { secrets: -1, orders: -1, containers: -1, consumers: -1, cas: -1 };
    expect((await limited.client.get('/v1/quotas')).json).toEqual({ quotas: all });
    const { client: administrator } = await coffer.person(['key-manager:service-admin'], 'service');
    const path = `/v1/project-quotas/${limited.projectId}`;
    expect((await administrator.put(path, { project_quotas: { secrets: 0 } })).status).toBe(204);
    const refused = await limited.client.post('/v1/secrets', {});
    expect([refused.status, refused.json.description]).toEqual([
      403,
      'Secret creation issue seen - Creation not allowed because a quota has been reached.',
    ]);
    const stores = await demo.get('/v1/secret-stores');
    expect([stores.status, stores.json.description]).toEqual([
      404,
      'Not Found. Multiple backends support is not enabled in service configuration.',
    ]);
  });

  it('37–38: keeps projects apart, whatever the query says', async () => {
    const ref = await store({ payload: 'x', ...TEXT });
    const { client: other } = await coffer.person(['admin'], 'other');
    expect((await other.get(ref)).status).toBe(403);
    expect((await other.get(`${ref}/payload`)).status).toBe(403);
    expect((await other.get(`${new URL(ref).pathname}?target.secret.read=read`)).status).toBe(403);
    expect((await other.get('/v1/secrets')).json.total).toBe(0);
    const { client: guest, userId } = await coffer.person(['observer'], 'other');
    await demo.put(`${ref}/acl`, { read: { users: [userId] } });
    expect((await guest.get(`${ref}/payload`)).status).toBe(200);
  });

  it('39–40: refuses ids of another form and methods of another kind', async () => {
    let ref = await store({});
    while (!/[a-f]/.test(ref.slice(-36))) ref = await store({});
    const upper = await demo.get(`/v1/secrets/${ref.split('/').at(-1)?.toUpperCase()}`);
    expect([upper.status, upper.json.description]).toEqual([
      404,
      'Not Found. Provided secret id is invalid.',
    ]);
    expect((await demo.send('HEAD', ref)).status).toBe(405);
    expect((await demo.send('PATCH', ref)).status).toBe(405);
  });
});

it('gives each role what it has under the stock rules, by a token of its own', async () => {
  const ref = await store({ payload: 'x', ...TEXT });
  const expected = {
    admin: [200, 200, 200, 201],
    creator: [200, 200, 200, 201],
    observer: [200, 200, 200, 403],
    audit: [403, 200, 403, 403],
    reader: [403, 403, 403, 403],
    member: [403, 403, 403, 403],
  };
  for (const [role, statuses] of Object.entries(expected)) {
    const { client } = await coffer.person([role]);
    const replies = [
      await client.get('/v1/secrets'),
      await client.get(ref),
      await client.get(`${ref}/payload`),
      await client.post('/v1/secrets', {}),
    ];
    expect([role, ...replies.map(({ status }) => status)]).toEqual([role, ...statuses]);
  }
});
