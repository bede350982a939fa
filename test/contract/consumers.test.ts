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
const NOVA = { service: 'nova', resource_type: 'SERVER', resource_id: 'one' };
const GLANCE = { service: 'glance', resource_type: 'image', resource_id: 'two' };
const store = async (client = owner): Promise<string> =>
  (await client.post('/v1/secrets', { payload: 'hi', payload_content_type: 'text/plain' })).json.secret_ref;
const add = async (ref: string, body: unknown = NOVA, client = owner): Promise<Reply> => {
  // Lists are in the order of time, which is kept to the millisecond.
  keyManager.clock.offsetMilliseconds += 1;
  return await client.post(`${ref}/consumers`, body);
};
const remove = async (ref: string, body: unknown = NOVA, client = owner): Promise<Reply> =>
  await client.send('DELETE', `${ref}/consumers`, { body });
/** A path, because the client drops the query of a reference. */
const pathOf = (ref: string): string => `/v1/secrets/${ref.slice(-36)}`;
const list = async (ref: string, query = '') => (await owner.get(`${pathOf(ref)}/consumers${query}`)).json;
const rowsOf = async (ref: string): Promise<number> => {
  const text = 'SELECT FROM secret_consumers WHERE parent_id = $1';
  const { rows } = await keyManager.coffer.db.query({ text, values: [ref.slice(-36)] });
  return rows.length;
};

describe('a consumer of a secret', () => {
  it('is registered with 200, the whole secret, and the address that Barbican gives', async () => {
    const ref = await store();
    const reply = await add(ref);
    const { consumers, ...secret } = reply.json;
    expect([reply.status, consumers]).toEqual([200, [NOVA]]);
    expect(secret).toEqual((await owner.get(ref)).json);
    const id = ref.slice(-36);
    expect(reply.headers.location).toBe(`${keyManager.publicUrl}/v1/consumers/${id}/consumers`);
  });

  it('is registered once however often, by whomever', async () => {
    const ref = await store();
    const first = await add(ref);
    const colleague = keyManager.as('observer', { user: 'colleague' });
    for (const again of [
      await add(ref),
      await add(ref, { ...NOVA, more: 1 }),
      await add(ref, NOVA, colleague),
    ]) {
      expect([again.status, again.json]).toEqual([200, first.json]);
    }
    const many = await Promise.all(Array.from({ length: 8 }, async () => await add(ref, GLANCE)));
    expect(new Set(many.map(({ status }) => status))).toEqual(new Set([200]));
    expect((await list(ref)).total).toBe(2);
  });

  it('is listed with its dates and status, in the order of registration', async () => {
    const ref = await store();
    expect(await list(ref)).toEqual({ consumers: [], total: 0 });
    await add(ref);
    await add(ref, GLANCE);
    const dated = {
      created: expect.stringMatching(TIME),
      updated: expect.stringMatching(TIME),
      status: 'ACTIVE',
    };
    expect(await list(ref)).toEqual({
      consumers: [
        { ...dated, ...NOVA },
        { ...dated, ...GLANCE },
      ],
      total: 2,
    });
  });

  it('is paged', async () => {
    const ref = await store();
    for (let index = 0; index < 12; index += 1) await add(ref, { ...NOVA, resource_id: `r${index}` });
    const ids = ({ consumers }: { consumers: { resource_id: string }[] }) =>
      consumers.map(({ resource_id }) => resource_id);
    const first = await list(ref);
    expect([ids(first).length, first.total, first.previous]).toEqual([10, 12, undefined]);
    expect(first.next).toBe(`${ref}/consumers?limit=10&offset=10`);
    const last = await list(ref, '?limit=5&offset=10');
    expect([ids(last), last.next]).toEqual([['r10', 'r11'], undefined]);
    expect(last.previous).toBe(`${ref}/consumers?limit=5&offset=5`);
    expect(ids(await list(ref, '?limit=0')).length).toBe(1);
    expect(await list(ref, '?offset=99')).toEqual({ consumers: [], total: 12 });
  });

  it('is shown with the secret from 1.1 on, alone and in lists', async () => {
    const [ref, other] = [await store(), await store()];
    await add(ref);
    await add(ref, GLANCE);
    expect((await owner.get(ref)).json).not.toHaveProperty('consumers');
    for (const version of ['1.1', '1.2', 'latest']) {
      expect((await owner.get(ref, { version })).json.consumers).toEqual([NOVA, GLANCE]);
      expect((await owner.get(other, { version })).json.consumers).toEqual([]);
      const { secrets } = (await owner.get('/v1/secrets?limit=100', { version })).json;
      const shown = new Map(
        secrets.map((secret: { secret_ref: string; consumers: unknown }) => [
          secret.secret_ref,
          secret.consumers,
        ]),
      );
      expect([shown.get(ref), shown.get(other)]).toEqual([[NOVA, GLANCE], []]);
    }
    const plain = (await owner.get('/v1/secrets')).json.secrets[0];
    expect(plain).not.toHaveProperty('consumers');
  });

  it('is removed by what it says, with 200 and the whole secret, and is then not found', async () => {
    const ref = await store();
    await add(ref);
    await add(ref, GLANCE);
    const reply = await remove(ref);
    expect([reply.status, reply.json.consumers, reply.json.secret_ref]).toEqual([200, [GLANCE], ref]);
    for (const nobody of [NOVA, { ...GLANCE, service: 'Glance' }, { ...GLANCE, resource_id: 'one' }]) {
      const missing = await remove(ref, nobody);
      expect([missing.status, missing.json.description]).toEqual([404, 'Consumer not found.']);
    }
    expect((await list(ref)).total).toBe(1);
  });

  it('is found under its own parent alone', async () => {
    const [ref, other] = [await store(), await store()];
    await add(ref);
    expect((await remove(other)).status).toBe(404);
    expect((await list(other)).total).toBe(0);
    expect((await list(ref)).total).toBe(1);
    const { rows } = await keyManager.coffer.db.query<{ id: string }>({
      text: 'SELECT id FROM secret_consumers WHERE parent_id = $1',
      values: [ref.slice(-36)],
    });
    for (const parent of [ref, other]) {
      const shown = await owner.get(`${parent}/consumers/${rows[0]?.id}`);
      expect([shown.status, shown.json.description]).toEqual([
        404,
        'Not Found. Provided consumer id is invalid.',
      ]);
      const unknown = await owner.get(`${parent}/consumers/11111111-1111-4111-8111-111111111111`);
      expect([unknown.status, unknown.json.description]).toEqual([404, 'Consumer not found.']);
    }
  });

  it('is removed by the project that registered it or that has the secret, and by no third', async () => {
    const ref = await store();
    await owner.put(`${ref}/acl`, { read: { users: ['guest', 'third'] } });
    const guest = keyManager.as('audit', { user: 'guest', project: 'elsewhere' });
    const third = keyManager.as('admin', { user: 'third', project: 'third' });
    expect((await add(ref, NOVA, guest)).json.consumers).toEqual([NOVA]);
    await add(ref, GLANCE);
    for (const consumer of [NOVA, GLANCE]) {
      const refused = await remove(ref, consumer, third);
      expect([refused.status, refused.json.description]).toEqual([
        403,
        'Not Allowed. Sorry, only the creator of a consumer can delete it.',
      ]);
    }
    expect((await remove(ref, GLANCE, guest)).status).toBe(403);
    expect((await remove(ref, NOVA, guest)).status).toBe(200);
    await add(ref, NOVA, guest);
    const [byOwner, again] = [await remove(ref), await remove(ref)];
    expect([byOwner.status, again.status]).toEqual([200, 404]);
  });

  it.each([
    [{}, "'service' is a required property", 'service'],
    [{ ...NOVA, service: undefined }, "'service' is a required property", 'service'],
    [{ ...NOVA, resource_id: null }, "None is not of type 'string'", 'resource_id'],
    [{ ...NOVA, resource_type: 5 }, "5 is not of type 'string'", 'resource_type'],
    [{ ...NOVA, service: '' }, "'' is too short", 'service'],
    [{ ...NOVA, service: ' \t' }, "'' is too short", 'service'],
    [{ ...NOVA, resource_type: 'x'.repeat(256) }, `'${'x'.repeat(256)}' is too long`, 'resource_type'],
    [{ ...NOVA, resource_id: 'x'.repeat(256) }, `'${'x'.repeat(256)}' is too long`, 'resource_id'],
    [[NOVA], "the value is not of type 'object'", 'None'],
  ])('is not registered as %j', async (body, reason, property) => {
    const ref = await store();
    const text = `Provided object does not match schema 'Secret Consumer': ${reason}. Invalid property: '${property}'`;
    for (const reply of [await add(ref, body), await remove(ref, body)]) {
      expect([reply.status, reply.json.description]).toEqual([400, text]);
    }
    expect(await rowsOf(ref)).toBe(0);
  });

  it('takes texts without the white space around them, of any characters and of full length', async () => {
    const ref = await store();
    const long = '鍵'.repeat(255);
    await add(ref, { service: ` ${long}\n`, resource_type: long, resource_id: long });
    const stored = { service: long, resource_type: long, resource_id: long };
    expect((await owner.get(ref, { version: '1.1' })).json.consumers).toEqual([stored]);
    expect((await remove(ref, stored)).json.consumers).toEqual([]);
  });

  it('comes and goes in JSON alone', async () => {
    const ref = await store();
    for (const method of ['POST', 'DELETE']) {
      const untyped = await owner.send(method, `${ref}/consumers`, { body: JSON.stringify(NOVA) });
      expect(untyped.status).toBe(415);
      const headers = { 'content-type': 'application/json' };
      const cut = await owner.send(method, `${ref}/consumers`, { body: '{"service":', headers });
      expect([cut.status, cut.json.description]).toEqual([400, 'Malformed JSON']);
      const accept = await owner.send(method, `${ref}/consumers`, {
        body: NOVA,
        headers: { accept: 'text/plain' },
      });
      expect(accept.status).toBe(406);
    }
    expect((await owner.put(`${ref}/consumers`, NOVA)).status).toBe(405);
    expect(await rowsOf(ref)).toBe(0);
  });

  it('is not found where the secret is not', async () => {
    const ref = await store();
    await add(ref);
    await owner.delete(ref);
    for (const reply of [await add(ref), await remove(ref), await owner.get(`${ref}/consumers`)]) {
      expect([reply.status, reply.json.description]).toEqual([404, 'Secret not found.']);
    }
  });

  it('counts against the quota of the project that has the secret, apart from those of containers', async () => {
    const limits = keyManager.coffer.limits.quotas as Record<string, number>;
    const ref = await store(keyManager.as('creator', { project: 'limited' }));
    const limited = keyManager.as('creator', { project: 'limited' });
    limits.consumers = 2;
    try {
      for (const consumer of [NOVA, GLANCE]) expect((await add(ref, consumer, limited)).status).toBe(200);
      const refused = await add(ref, { ...NOVA, resource_id: 'more' }, limited);
      expect([refused.status, refused.json.description]).toEqual([
        403,
        'SecretConsumer creation issue seen - Creation not allowed because a quota has been reached.',
      ]);
      expect((await add(ref, NOVA, limited)).status).toBe(200);
      await remove(ref, NOVA, limited);
      expect((await add(ref, { ...NOVA, resource_id: 'more' }, limited)).status).toBe(200);

      // Those of containers have the same limit to themselves.
      const container = (await limited.post('/v1/containers', { type: 'generic' })).json.container_ref;
      const register = async (name: string) =>
        await limited.post(`${container}/consumers`, { name, URL: 'https://example.org' });
      for (const name of ['a', 'b']) expect((await register(name)).status).toBe(200);
      const full = await register('c');
      expect([full.status, full.json.description]).toEqual([
        403,
        'ContainerConsumer creation issue seen - Creation not allowed because a quota has been reached.',
      ]);
    } finally {
      limits.consumers = -1;
    }
  });
});

describe('the deletion of a secret with consumers', () => {
  const used = async (): Promise<string> => {
    const ref = await store();
    await add(ref);
    return ref;
  };

  it('is refused from 1.2 on, and nothing is gone', async () => {
    const ref = await used();
    for (const query of ['', '?force=false', '?force=0', '?force=No']) {
      const reply = await owner.delete(`${pathOf(ref)}${query}`, { version: '1.2' });
      expect([reply.status, reply.json.description]).toEqual([
        400,
        'Secret deletion issue seen - Secret cannot be deleted as it has consumers..',
      ]);
    }
    const malformed = await owner.send('DELETE', `${pathOf(ref)}?force=maybe`, {
      version: '1.2',
    });
    expect([malformed.status, malformed.json.description]).toEqual([
      400,
      'URI provided invalid query string parameters.',
    ]);
    expect((await owner.get(`${ref}/payload`)).text).toBe('hi');
    expect((await list(ref)).total).toBe(1);
  });

  it('goes through before 1.2, and from then on when it is forced or they are gone', async () => {
    for (const [version, query] of [
      [undefined, ''],
      ['1.0', '?force=false'],
      ['1.1', '?force=maybe'],
      ['1.2', '?force=true'],
      ['1.2', '?force=YES'],
    ] as const) {
      const ref = await used();
      const asked = version === undefined ? {} : { version };
      expect((await owner.delete(`${pathOf(ref)}${query}`, asked)).status).toBe(204);
      expect([(await owner.get(ref)).status, await rowsOf(ref)]).toEqual([404, 0]);
    }
    const ref = await used();
    await remove(ref);
    expect((await owner.delete(ref, { version: '1.2' })).status).toBe(204);
  });
});
