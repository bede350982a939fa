import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KeyManager, startKeyManager } from './key-manager.ts';
import type { Client, Reply } from './raw-http.ts';
import { EVERY_ROLE, expectRights, type RoleAct } from './role-rights.ts';

const ALL = '/v1/transport_keys';
const RAW_TIME = /^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\.\d{6}$/;
const KEY = { plugin_name: 'dogtag', transport_key: '-----BEGIN CERTIFICATE-----' };

let keyManager: KeyManager;
let serviceAdmin: Client;
let creator: Client;

beforeAll(async () => {
  keyManager = await startKeyManager();
  serviceAdmin = keyManager.as('key-manager:service-admin');
  creator = keyManager.as('creator');
});
afterAll(async () => await keyManager.stop());

const refOf = (reply: Reply): string => String(reply.json.transport_key_ref);

describe('a Coffer without transport keys', () => {
  it('answers as a Barbican without them', async () => {
    const empty = await startKeyManager();
    const reply = await empty.as('observer').get(ALL);
    expect([reply.status, reply.json]).toEqual([200, { transport_keys: [], total: 0 }]);
    const one = await empty.as('observer').get(`${ALL}/${randomUUID()}`);
    expect([one.status, one.json.description]).toEqual([404, 'Not Found. Transport Key not found.']);
    await empty.stop();
  });
});

describe('POST /v1/transport_keys', () => {
  it('stores a key and says where', async () => {
    const reply = await serviceAdmin.post(ALL, KEY);
    expect(reply.status).toBe(201);
    expect(refOf(reply)).toMatch(new RegExp(`^${keyManager.publicUrl}${ALL}/[0-9a-f-]{36}$`));
    expect(reply.headers.location).toBe(refOf(reply));
    expect((await serviceAdmin.post(`${ALL}/`, KEY)).status).toBe(201);
  });

  it.each([
    [{ transport_key: 'k' }, 'plugin_name must be provided', 'plugin_name'],
    [{ plugin_name: '  ', transport_key: 'k' }, 'plugin_name must be provided', 'plugin_name'],
    [{ plugin_name: 'p' }, 'transport_key must be provided', 'transport_key'],
    [{ plugin_name: 'p', transport_key: '' }, 'transport_key must be provided', 'transport_key'],
    [{ plugin_name: 5, transport_key: 'k' }, "5 is not of type 'string'", 'plugin_name'],
    [{ plugin_name: 'p', transport_key: null }, "None is not of type 'string'", 'transport_key'],
    [{ plugin_name: 'p'.repeat(256), transport_key: 'k' }, 'is too long', 'plugin_name'],
  ])('refuses %j', async (body, reason, property) => {
    const reply = await serviceAdmin.post(ALL, body);
    expect(reply.status).toBe(400);
    expect(reply.json.description).toContain(reason);
    expect(reply.json.description).toContain(`Invalid property: '${property}'`);
  });

  it('wants JSON', async () => {
    expect((await serviceAdmin.post(ALL, 'x')).status).toBe(415);
    const headers = { 'content-type': 'application/json' };
    expect((await serviceAdmin.post(ALL, '', { headers })).json.description).toBe('Malformed JSON');
    // A character that PostgreSQL cannot keep.
    expect((await serviceAdmin.post(ALL, { ...KEY, plugin_name: 'p\0' })).status).toBe(400);
  });
});

describe('GET /v1/transport_keys', () => {
  it('lists references in the order of their making, of one plugin where that is asked, in pages', async () => {
    const other = await startKeyManager();
    const admin = other.as('key-manager:service-admin');
    const made: string[] = [];
    for (const plugin_name of ['one', 'two', 'one', 'one']) {
      made.push(refOf(await admin.post(ALL, { ...KEY, plugin_name })));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    // Another project's token sees the same.
    const reader = other.as('audit', { project: 'elsewhere' });
    expect((await reader.get(ALL)).json).toEqual({ transport_keys: made, total: 4 });
    expect((await reader.get(`${ALL}?plugin_name=one&limit=2`)).json).toEqual({
      transport_keys: [made[0], made[2]],
      next: `${other.publicUrl}${ALL}?limit=2&offset=2&plugin_name=one`,
      total: 3,
    });
    expect((await reader.get(`${ALL}?plugin_name=on%25`)).json).toEqual({ transport_keys: [], total: 0 });
    expect((await reader.get(`${ALL}?plugin_name=%00`)).status).toBeLessThan(500);
    await other.stop();
  });
});

describe('GET and DELETE /v1/transport_keys/{id}', () => {
  it('show the row as Barbican’s database has it, and delete it', async () => {
    const ref = refOf(await serviceAdmin.post(ALL, KEY));
    const shown = await creator.get(ref);
    expect([shown.status, shown.json]).toEqual([
      200,
      {
        id: ref.slice(-36),
        ...KEY,
        status: 'ACTIVE',
        deleted: false,
        created_at: expect.stringMatching(RAW_TIME),
        updated_at: expect.stringMatching(RAW_TIME),
        deleted_at: null,
      },
    ]);
    const deleted = await serviceAdmin.delete(ref);
    expect([deleted.status, deleted.text]).toEqual([204, '']);
    for (const reply of [await creator.get(ref), await serviceAdmin.delete(ref)]) {
      expect([reply.status, reply.json.description]).toEqual([404, 'Not Found. Transport Key not found.']);
    }
  });

  it('refuse what is no id before anything is looked up', async () => {
    for (const method of ['GET', 'DELETE']) {
      const reply = await serviceAdmin.send(method, `${ALL}/nope`);
      expect([reply.status, reply.json.description]).toEqual([
        404,
        'Not Found. Provided transport key id is invalid.',
      ]);
    }
  });

  it('know no other methods', async () => {
    const one = await serviceAdmin.put(`${ALL}/${randomUUID()}`, {});
    expect([one.status, one.headers.allow]).toEqual([405, 'DELETE, GET']);
    expect((await serviceAdmin.put(ALL, {})).headers.allow).toBe('GET, POST');
  });

  it('refuse a row that was edited in the database, and a list leaves it out', async () => {
    const ref = refOf(await serviceAdmin.post(ALL, KEY));
    const { db } = keyManager.coffer;
    for (const column of ['plugin_name', 'transport_key', 'status']) {
      const values = [ref.slice(-36)];
      await db.query({
        text: `UPDATE transport_keys SET ${column} = ${column} || 'x' WHERE id = $1`,
        values,
      });
      const reply = await creator.get(ref);
      expect([reply.status, reply.json.title]).toEqual([500, 'Integrity Violation']);
      expect((await creator.get(`${ALL}?limit=100`)).json.transport_keys).not.toContain(ref);
      await db.query({
        text: `UPDATE transport_keys SET ${column} = left(${column}, -1) WHERE id = $1`,
        values,
      });
    }
    expect((await creator.get(ref)).status).toBe(200);
  });
});

describe('a secret that asks for a transport key gets a 400', () => {
  const payload = { payload: 'x', payload_content_type: 'text/plain' };

  it('when it is created', async () => {
    const needed = await creator.post('/v1/secrets', { transport_key_needed: 'true' });
    expect([needed.status, needed.json.description]).toEqual([
      400,
      'Secret creation issue seen - Transport keys are not supported.',
    ]);
    const named = await creator.post('/v1/secrets', { ...payload, transport_key_id: randomUUID() });
    expect([named.status, named.json.description]).toEqual([
      400,
      'Secret creation issue seen - Provided transport key was not found..',
    ]);
    // One that is stored cannot be used either.
    const id = refOf(await serviceAdmin.post(ALL, KEY)).slice(-36);
    expect((await creator.post('/v1/secrets', { ...payload, transport_key_id: id })).status).toBe(400);
    expect((await creator.post('/v1/secrets', { transport_key_needed: 'false' })).status).toBe(201);
    expect((await creator.post('/v1/secrets', { transport_key_needed: true })).status).toBe(400);
  });

  it('when it is read or completed', async () => {
    const { secret_ref } = (await creator.post('/v1/secrets', payload)).json;
    const bare = (await creator.post('/v1/secrets', {})).json.secret_ref;
    const path = (ref: string): string => new URL(ref).pathname;
    const accept = { headers: { accept: 'text/plain' } };
    const json = { headers: { accept: 'application/json' } };
    const replies = [
      await creator.get(`${path(secret_ref)}?transport_key_needed=true`, json),
      await creator.get(`${path(secret_ref)}/payload?trans_wrapped_session_key=abc`, accept),
      await creator.get(
        `${path(secret_ref)}/payload?trans_wrapped_session_key=abc&transport_key_id=${randomUUID()}`,
        accept,
      ),
      await creator.get(`${path(secret_ref)}?trans_wrapped_session_key=abc`, accept),
      await creator.put(`${path(bare)}?transport_key_id=${randomUUID()}`, 'x', {
        headers: { 'content-type': 'text/plain' },
      }),
    ];
    expect(replies.map(({ status }) => status)).toEqual([400, 400, 400, 400, 400]);
    expect(replies[1]?.json.description).toBe(
      'Transport key wrapped session key has been provided to wrap secrets for retrieval, ' +
        'but the transport key id has not been provided.',
    );
    expect((await creator.get(`${path(secret_ref)}?transport_key_needed=false`, json)).status).toBe(200);
  });
});

const acts = (id: () => string): readonly RoleAct[] => [
  {
    operation: 'Transport Key(s) retrieval',
    status: 200,
    stock: EVERY_ROLE,
    secure: ['reader'],
    run: async (client) => await client.get(ALL),
  },
  {
    operation: 'Transport Key retrieval',
    status: 200,
    stock: EVERY_ROLE,
    secure: ['reader'],
    run: async (client) => await client.get(`${ALL}/${id()}`),
  },
  {
    operation: 'Transport Key Creation',
    status: 201,
    stock: ['key-manager:service-admin'],
    secure: ['admin'],
    run: async (client) => await client.post(ALL, KEY),
  },
  {
    operation: 'Transport Key deletion',
    status: 204,
    stock: ['key-manager:service-admin'],
    secure: ['admin'],
    run: async (client) => await client.delete(`${ALL}/${id()}`),
  },
];

describe.each(['stock', 'secure'] as const)('under the %s rules', (rules) => {
  it('each operation is for the roles of the contract', async () => {
    const other = await startKeyManager(rules);
    const admin = other.as(rules === 'stock' ? 'key-manager:service-admin' : 'admin');
    let id = '';
    for (const act of acts(() => id)) {
      await expectRights(other, rules, act, async () => {
        id = refOf(await admin.post(ALL, KEY)).slice(-36);
      });
    }
    await other.stop();
  });
});
