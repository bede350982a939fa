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

const LBAAS = { name: 'lbaas', URL: 'lbaas://region/lb/1' };
// Magnum gives an id where others give a URL.
const MAGNUM = { name: 'Magnum', URL: '0c5b7e1a-96a7-4b52-a2d5-3d5f2d8f7f11' };
const make = async (): Promise<string> => {
  const { secret_ref } = (await owner.post('/v1/secrets', {})).json;
  const body = { type: 'generic', name: 'tls', secret_refs: [{ name: 'one', secret_ref }] };
  return (await owner.post('/v1/containers', body)).json.container_ref;
};
const add = async (ref: string, body: unknown = LBAAS, client = owner): Promise<Reply> =>
  await client.post(`${ref}/consumers`, body);
const remove = async (ref: string, body: unknown = LBAAS, client = owner): Promise<Reply> =>
  await client.delete(`${ref}/consumers`, { body });

describe('a consumer of a container', () => {
  it('is registered once, with 200, the whole container, and the address that Barbican gives', async () => {
    const ref = await make();
    const before = (await owner.get(ref)).json;
    const [first, again] = [await add(ref), await add(ref, { ...LBAAS, more: [] })];
    expect([first.status, first.json]).toEqual([200, { ...before, consumers: [LBAAS] }]);
    expect([again.status, again.json]).toEqual([200, first.json]);
    expect(first.headers.location).toBe(`${keyManager.publicUrl}/v1/consumers/${ref.slice(-36)}/consumers`);
    expect((await owner.get(ref)).json).toEqual(first.json);
    const { containers } = (await owner.get('/v1/containers?limit=100')).json;
    expect(containers).toContainEqual(first.json);
  });

  it('is listed by name, with dates and status, in pages', async () => {
    const ref = await make();
    await add(ref, LBAAS);
    await add(ref, { name: 'b', URL: 'x' });
    await add(ref, MAGNUM);
    const { consumers, total } = (await owner.get(`${ref}/consumers`)).json;
    expect(total).toBe(3);
    expect(Object.keys(consumers[0])).toEqual(['created', 'updated', 'status', 'name', 'URL']);
    expect(consumers.map(({ name }: { name: string }) => name)).toEqual(['Magnum', 'b', 'lbaas']);
    const page = (await owner.get(`/v1/containers/${ref.slice(-36)}/consumers?limit=1&offset=1`)).json;
    expect([page.consumers[0].name, page.total]).toEqual(['b', 3]);
    expect(page.next).toBe(`${ref}/consumers?limit=1&offset=2`);
  });

  it('is removed by what it says, under its own container alone', async () => {
    const [ref, other] = [await make(), await make()];
    await add(ref);
    await add(ref, MAGNUM);
    const elsewhere = await remove(other);
    expect([elsewhere.status, elsewhere.json.description]).toEqual([404, 'Consumer not found.']);
    const reply = await remove(ref);
    expect([reply.status, reply.json.consumers, reply.json.container_ref]).toEqual([200, [MAGNUM], ref]);
    expect((await remove(ref)).status).toBe(404);
    const unknown = await owner.get(`${ref}/consumers/11111111-1111-4111-8111-111111111111`);
    expect([unknown.status, unknown.json.description]).toEqual([404, 'Consumer not found.']);
  });

  it('is removed by the project that registered it or that has the container, and by no third', async () => {
    const ref = await make();
    await owner.put(`${ref}/acl`, { read: { users: ['octavia', 'third'] } });
    const octavia = keyManager.as('audit', { user: 'octavia', project: 'service' });
    const third = keyManager.as('admin', { user: 'third', project: 'third' });
    expect((await add(ref, LBAAS, octavia)).status).toBe(200);
    const refused = await remove(ref, LBAAS, third);
    expect([refused.status, refused.json.description]).toEqual([
      403,
      'Not Allowed. Sorry, only the creator of a consumer can delete it.',
    ]);
    expect((await remove(ref, LBAAS, octavia)).status).toBe(200);
    await add(ref, LBAAS, octavia);
    expect((await remove(ref)).status).toBe(200);
  });

  it.each([
    [{ name: 'octavia', URL: null }, "None is not of type 'string'", 'URL'],
    [{ name: '', URL: 'x' }, "'' is too short", 'name'],
    [{ name: 'x'.repeat(37), URL: 'x' }, `'${'x'.repeat(37)}' is too long`, 'name'],
    [{ name: 'x', URL: 'x'.repeat(256) }, `'${'x'.repeat(256)}' is too long`, 'URL'],
    [{ name: 'x' }, "'URL' is a required property", 'URL'],
  ])('is not registered as %j', async (body, reason, property) => {
    const text = `Provided object does not match schema 'Consumer': ${reason}. Invalid property: '${property}'`;
    const ref = await make();
    for (const reply of [await add(ref, body), await remove(ref, body)]) {
      expect([reply.status, reply.json.description]).toEqual([400, text]);
    }
    const nowhere = '/v1/containers/11111111-1111-4111-8111-111111111111';
    const missing = await add(nowhere, body);
    expect([missing.status, missing.json.description]).toEqual([404, 'Secrets container not found.']);
  });

  it('does not hold back the deletion of its container, and goes with it', async () => {
    const ref = await make();
    await add(ref);
    expect((await owner.delete(ref, { version: '1.2' })).status).toBe(204);
    const text = 'SELECT FROM container_consumers WHERE parent_id = $1';
    const { rows } = await keyManager.coffer.db.query({ text, values: [ref.slice(-36)] });
    expect(rows).toEqual([]);
  });
});

describe('the ACL of a container', () => {
  it('is read, replaced, merged and removed as that of a secret', async () => {
    const ref = await make();
    const acl = async () => (await owner.get(`${ref}/acl`)).json;
    expect(await acl()).toEqual({ read: { 'project-access': true } });
    const put = await owner.put(`${ref}/acl`, { read: { users: ['b', 'a'] } });
    expect([put.status, put.json]).toEqual([200, { acl_ref: `${ref}/acl` }]);
    expect((await acl()).read).toMatchObject({ users: ['a', 'b'], 'project-access': true });
    const body = { read: { 'project-access': false } };
    expect((await owner.send('PATCH', `${ref}/acl`, { body })).json).toEqual({ acl_ref: `${ref}/acl` });
    expect((await acl()).read).toMatchObject({ users: ['a', 'b'], 'project-access': false });
    expect((await owner.put(`${ref}/acl`, {})).status).toBe(200);
    expect((await acl()).read).toMatchObject({ users: [], 'project-access': false });
    const removed = await owner.delete(`${ref}/acl`);
    expect([removed.status, removed.text]).toEqual([200, 'null']);
    expect(await acl()).toEqual({ read: { 'project-access': true } });
  });

  it('opens the container to a user of another project, and not its secrets', async () => {
    const ref = await make();
    const octavia = keyManager.as('audit', { user: 'octavia', project: 'service' });
    expect((await octavia.get(ref)).status).toBe(403);
    await owner.put(`${ref}/acl`, { read: { users: ['octavia'] } });
    const seen = await octavia.get(ref);
    expect(seen.status).toBe(200);
    expect((await octavia.get(seen.json.secret_refs[0].secret_ref)).status).toBe(403);
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
      expect((await octavia.send(method, `${ref}/acl`, { body: {} })).status).toBe(403);
    }
    await owner.delete(`${ref}/acl`);
    expect((await octavia.get(ref)).status).toBe(403);
  });
});
