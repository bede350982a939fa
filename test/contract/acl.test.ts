import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KeyManager, startKeyManager } from './key-manager.ts';
import type { Client, Reply } from './raw-http.ts';

let keyManager: KeyManager;
let owner: Client;
beforeAll(async () => {
  keyManager = await startKeyManager();
  owner = keyManager.as('creator', { user: 'owner' });
});
afterAll(async () => await keyManager.stop());

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/;
const store = async (client = owner, body: object = {}): Promise<string> => {
  // Lists are in the order of time, which is kept to the millisecond.
  keyManager.clock.offsetMilliseconds += 1;
  const secret = { payload: 'hi', payload_content_type: 'text/plain', ...body };
  return (await client.post('/v1/secrets', secret)).json.secret_ref;
};
const patch = async (ref: string, body: unknown): Promise<Reply> =>
  await owner.send('PATCH', `${ref}/acl`, { body });
const acl = async (ref: string) => (await owner.get(`${ref}/acl`)).json;
const guest = (user = 'guest'): Client => keyManager.as('observer', { user, project: 'elsewhere' });

describe('the ACL of a secret', () => {
  it('is at first the access of its project and nothing else', async () => {
    const reply = await owner.get(`${await store()}/acl`);
    expect([reply.status, reply.headers['content-type']]).toEqual([200, 'application/json']);
    expect(reply.text).toBe('{"read":{"project-access":true}}');
  });

  it('is answered by its reference, and shows users, access and dates', async () => {
    const ref = await store();
    const read = { users: ['b', 'a', 'b'], 'project-access': false };
    const reply = await owner.put(`${ref}/acl`, { read });
    expect([reply.status, reply.json]).toEqual([200, { acl_ref: `${ref}/acl` }]);
    expect(await acl(ref)).toEqual({
      read: {
        'project-access': false,
        users: ['a', 'b'],
        created: expect.stringMatching(TIME),
        updated: expect.stringMatching(TIME),
      },
    });
  });

  it('is replaced by PUT, where what is missing takes its default', async () => {
    const ref = await store();
    await owner.put(`${ref}/acl`, { read: { users: ['a'], 'project-access': false } });
    const { created } = (await acl(ref)).read;
    await owner.put(`${ref}/acl`, { read: { users: ['b'] } });
    expect((await acl(ref)).read).toMatchObject({ users: ['b'], 'project-access': true, created });
    await owner.put(`${ref}/acl`, { read: { 'project-access': false } });
    expect((await acl(ref)).read).toMatchObject({ users: [], 'project-access': false, created });
  });

  it('is merged by PATCH, where what is missing stays', async () => {
    const ref = await store();
    expect((await patch(ref, { read: { 'project-access': false } })).json).toEqual({ acl_ref: `${ref}/acl` });
    expect((await acl(ref)).read).toMatchObject({ users: [], 'project-access': false });
    await patch(ref, { read: { users: ['a'] } });
    expect((await acl(ref)).read).toMatchObject({ users: ['a'], 'project-access': false });
    await patch(ref, { read: { users: [] } });
    expect((await acl(ref)).read).toMatchObject({ users: [], 'project-access': false });
    for (const nothing of [{}, { read: {} }]) expect((await patch(ref, nothing)).status).toBe(200);
    expect((await acl(ref)).read).toMatchObject({ users: [], 'project-access': false });
  });

  it('goes with DELETE, which answers four bytes however often', async () => {
    const ref = await store();
    await patch(ref, { read: { users: ['a'], 'project-access': false } });
    for (let round = 0; round < 2; round += 1) {
      const reply = await owner.delete(`${ref}/acl`);
      expect([reply.status, reply.text, reply.headers['content-type']]).toEqual([
        200,
        'null',
        'application/json',
      ]);
      expect(await acl(ref)).toEqual({ read: { 'project-access': true } });
    }
  });

  it('is taken away by a PUT of nothing, which opens nothing that was private', async () => {
    const colleague = keyManager.as('observer', { user: 'colleague' });
    for (const nothing of [{}, { read: {} }]) {
      const shared = await store();
      await owner.put(`${shared}/acl`, { read: { users: ['guest'] } });
      expect((await owner.put(`${shared}/acl`, nothing)).status).toBe(200);
      expect(await acl(shared)).toEqual({ read: { 'project-access': true } });
      const hidden = await store();
      await owner.put(`${hidden}/acl`, { read: { users: ['guest'], 'project-access': false } });
      expect((await owner.put(`${hidden}/acl`, nothing)).status).toBe(200);
      expect((await acl(hidden)).read).toMatchObject({ users: [], 'project-access': false });
      expect((await colleague.get(hidden)).status).toBe(403);
      for (const ref of [shared, hidden]) expect((await guest().get(ref)).status).toBe(403);
    }
  });

  it.each([
    ['', 'Malformed JSON'],
    ['{', 'Malformed JSON'],
    ['[]', "the value is not of type 'object'"],
    ['null', "None is not of type 'object'"],
    ['{"read":null}', "None is not of type 'object'"],
    ['{"read":{"users":null}}', "None is not of type 'array'"],
    ['{"read":{"users":["a",5]}}', "5 is not of type 'string'"],
    ['{"read":{"project-access":"true"}}', "'true' is not of type 'boolean'"],
    ['{"read":{"creator-only":false}}', "'creator-only' was unexpected"],
    ['{"write":{"users":["a"]}}', "'write' was unexpected"],
    ['{"delete":{},"list":{}}', "'delete', 'list' were unexpected"],
    ['{"read":{"users":["guest"]},"x":1}', "'x' was unexpected"],
  ])('stays as it is when the body is %s', async (body, reason) => {
    const ref = await store();
    await owner.put(`${ref}/acl`, { read: { users: ['a'], 'project-access': false } });
    const before = await acl(ref);
    const headers = { 'content-type': 'application/json' };
    for (const method of ['PUT', 'PATCH']) {
      const reply = await owner.send(method, `${ref}/acl`, { body, headers });
      expect([reply.status, reply.json.description]).toEqual([400, expect.stringContaining(reason)]);
    }
    expect(await acl(ref)).toEqual(before);
  });

  it('asks for JSON, knows no other method, and has nothing below it', async () => {
    const ref = await store();
    for (const method of ['PUT', 'PATCH']) {
      const reply = await owner.send(method, `${ref}/acl`, { body: '{}' });
      expect([reply.status, reply.json.description]).toEqual([
        415,
        "Unexpected content type. Expected content types are: ['application/json']",
      ]);
    }
    const posted = await owner.post(`${ref}/acl`, {});
    expect([posted.status, posted.headers.allow]).toEqual([405, 'DELETE, GET, PATCH, PUT']);
    expect((await owner.get(`${ref}/acl/x`)).status).toBe(404);
    expect((await owner.get(`${ref}/acl/`)).status).toBe(200);
    expect((await owner.get(`${ref}/acl`, { headers: { accept: 'text/plain' } })).status).toBe(406);
  });

  it('is not found where its secret is not', async () => {
    for (const [id, description] of [
      ['11111111-1111-4111-8111-111111111111', 'Secret not found.'],
      ['nonsense', 'Not Found. Provided secret id is invalid.'],
    ]) {
      for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
        const reply = await owner.send(method, `/v1/secrets/${id}/acl`, { body: {} });
        expect([reply.status, reply.json.description]).toEqual([404, description]);
      }
    }
  });

  it('lets a user of another project read and register as a consumer could, and no more', async () => {
    const ref = await store();
    expect((await guest().get(ref)).status).toBe(403);
    await owner.put(`${ref}/acl`, { read: { users: ['guest'] } });
    expect((await guest().get(ref)).status).toBe(200);
    expect((await guest().get(`${ref}/payload`)).text).toBe('hi');
    expect((await guest().get(`${ref}/metadata`)).status).toBe(200);
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
      expect((await guest().send(method, `${ref}/acl`, { body: {} })).status).toBe(403);
    }
    expect((await guest().delete(ref)).status).toBe(403);
    expect((await guest().put(`${ref}/metadata`, { metadata: {} })).status).toBe(403);
    await owner.delete(`${ref}/acl`);
    expect((await guest().get(ref)).status).toBe(403);
  });

  it('never takes an empty id for somebody', async () => {
    const ref = await store();
    await owner.put(`${ref}/acl`, { read: { users: ['', ' '], 'project-access': false } });
    const nobody = keyManager.as('observer', { user: '', project: 'elsewhere' });
    expect((await nobody.get(ref)).status).toBe(403);
    expect((await nobody.get('/v1/secrets?acl_only=true')).json.total).toBe(0);
  });

  it('does not lose a change to one made beside it', async () => {
    const ref = await store();
    const changes = Array.from({ length: 8 }, async (_, index) =>
      index % 2 === 0
        ? await patch(ref, { read: { users: [`user-${index}`] } })
        : await patch(ref, { read: { 'project-access': false } }),
    );
    const statuses = (await Promise.all(changes)).map(({ status }) => status);
    expect(new Set(statuses).has(200)).toBe(true);
    expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
    const { read } = await acl(ref);
    expect([read.users.length, read['project-access']]).toEqual([1, false]);
  });
});

describe('a list with acl_only', () => {
  const refs = async (client: Client, query = ''): Promise<string[]> => {
    const { json } = await client.get(`/v1/secrets?acl_only=true${query}`);
    expect(json.total).toBe(json.secrets.length);
    return json.secrets.map((secret: { secret_ref: string }) => secret.secret_ref);
  };

  it('shows what names the caller, of any project, by the filters of every list', async () => {
    const visitor = guest('visitor');
    const mine = await store(keyManager.as('creator', { user: 'visitor', project: 'elsewhere' }));
    const [one, two, other] = [
      await store(owner, { name: 'one' }),
      await store(keyManager.as('creator', { project: 'third' }), { name: 'two' }),
      await store(owner, { name: 'other' }),
    ];
    expect(await refs(visitor)).toEqual([]);
    await owner.put(`${one}/acl`, { read: { users: ['visitor', 'x'], 'project-access': false } });
    await keyManager.as('creator', { project: 'third' }).put(`${two}/acl`, { read: { users: ['visitor'] } });
    await owner.put(`${other}/acl`, { read: { users: ['visitor-2'] } });
    expect(await refs(visitor)).toEqual([one, two]);
    expect(await refs(visitor, '&name=two')).toEqual([two]);
    expect(await refs(visitor, '&sort=name:desc')).toEqual([two, one]);
    expect((await visitor.get('/v1/secrets')).json.secrets[0].secret_ref).toBe(mine);
    await owner.delete(`${one}/acl`);
    expect(await refs(visitor)).toEqual([two]);
    expect((await keyManager.as('audit', { user: 'visitor' }).get('/v1/secrets?acl_only=true')).status).toBe(
      403,
    );
  });

  it('leaves out what the index names and the sealed ACL does not', async () => {
    const [shared, forged] = [await store(), await store()];
    await owner.put(`${shared}/acl`, { read: { users: ['late'] } });
    await owner.put(`${forged}/acl`, { read: { users: ['someone'] } });
    await keyManager.coffer.db.query({
      text: `UPDATE secrets SET acl_users = '{late}' WHERE id = $1`,
      values: [forged.slice(-36)],
    });
    const { secrets } = (await guest('late').get('/v1/secrets?acl_only=true')).json;
    expect(secrets.map((secret: { secret_ref: string }) => secret.secret_ref)).toEqual([shared]);
    expect((await guest('late').get(forged)).status).toBe(403);
  });

  it('keeps the index with the ACL, whatever else changes in the row', async () => {
    const ref = await store();
    await owner.put(`${ref}/acl`, { read: { users: ['steady', 'other'] } });
    await owner.put(`${ref}/metadata`, { metadata: { a: 'b' } });
    expect(await refs(guest('steady'))).toEqual([ref]);
    await patch(ref, { read: { users: ['other'] } });
    expect(await refs(guest('steady'))).toEqual([]);
    await owner.delete(ref);
    expect(await refs(guest('other'))).toEqual([]);
  });
});
