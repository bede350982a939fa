import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RuleSetName } from '../../src/policy/can.ts';
import { type KeyManager, startKeyManager } from './key-manager.ts';
import type { Client, Reply } from './raw-http.ts';

const REFUSED = ' attempt not allowed - please review your user/project privileges';

interface Act {
  operation: string;
  status: number;
  /** On a fresh secret, with a payload or, where the act gives it one, without. */
  bare?: true;
  run: (client: Client, ref: string) => Promise<Reply>;
}

/** Each operation on one secret, by its rule: what it answers to those who may. */
const ACTS: Readonly<Record<string, Act>> = {
  'secret:get': { operation: 'Secret retrieval', status: 200, run: (client, ref) => client.get(ref) },
  'secret:decrypt': {
    operation: 'Secret payload retrieval',
    status: 200,
    run: (client, ref) => client.get(`${ref}/payload`),
  },
  'secret:put': {
    operation: 'Secret update',
    status: 204,
    bare: true,
    run: (client, ref) => client.put(ref, 'x', { headers: { 'content-type': 'text/plain' } }),
  },
  'secret:delete': { operation: 'Secret deletion', status: 204, run: (client, ref) => client.delete(ref) },
  'secret_meta:get': {
    operation: 'Secret metadata retrieval',
    status: 200,
    run: (client, ref) => client.get(`${ref}/metadata`),
  },
  'secret_meta:get, one': {
    operation: 'Secret metadatum retrieval',
    status: 200,
    run: (client, ref) => client.get(`${ref}/metadata/env`),
  },
  'secret_meta:post': {
    operation: 'Secret metadatum creation',
    status: 201,
    run: (client, ref) => client.post(`${ref}/metadata`, { key: 'k', value: 'v' }),
  },
  'secret_meta:put': {
    operation: 'Secret metadata creation',
    status: 201,
    run: (client, ref) => client.put(`${ref}/metadata`, { metadata: {} }),
  },
  'secret_meta:put, one': {
    operation: 'Secret metadatum update',
    status: 200,
    run: (client, ref) => client.put(`${ref}/metadata/env`, { key: 'env', value: 'v' }),
  },
  'secret_meta:delete': {
    operation: 'Secret metadatum removal',
    status: 204,
    run: (client, ref) => client.delete(`${ref}/metadata/env`),
  },
};

/**
 * Who may, as the contract's tables have it for secrets without an ACL: A is the caller's own secret, B a colleague's,
 * E one of another project. `-` is nobody's.
 */
type Row = Record<'post' | 'list' | 'get' | 'decrypt' | 'put' | 'delete' | 'read' | 'write', string>;
const row = (cells: string): Row => {
  const [post, list, get, decrypt, put, remove, read, write] = cells.trim().split(/\s+/);
  return { post, list, get, decrypt, put, delete: remove, read, write } as Row;
};
const TABLES: Readonly<Record<RuleSetName, Readonly<Record<string, Row>>>> = {
  stock: {
    //                                post list get decrypt put delete read write (of user metadata)
    admin: row('                      y    y    AB  AB      AB  AB     AB   AB'),
    creator: row('                    y    y    AB  AB      AB  AB     AB   AB'),
    observer: row('                   -    y    AB  AB      -   -      AB   -'),
    audit: row('                      -    -    AB  -       -   -      AB   -'),
    'key-manager:service-admin': row('-    -    AB  -       -   -      AB   -'),
    member: row('                     -    -    -   -       -   -      -    -'),
    reader: row('                     -    -    -   -       -   -      -    -'),
    Admin: row('                    -    -    -   -       -   -      -    -'),
  },
  secure: {
    admin: row('                      -    -    ABE AB      AB  ABE    AB   AB'),
    member: row('                     y    y    AB  AB      AB  AB     AB   AB'),
    reader: row('                     -    -    -   -       -   -      -    -'),
    creator: row('                    -    -    -   -       -   -      -    -'),
    observer: row('                   -    -    -   -       -   -      -    -'),
    audit: row('                      -    -    -   -       -   -      -    -'),
    'key-manager:service-admin': row('-    -    -   -       -   -      -    -'),
  },
};
const CELL: Readonly<Record<string, keyof Row>> = {
  'secret:get': 'get',
  'secret:decrypt': 'decrypt',
  'secret:put': 'put',
  'secret:delete': 'delete',
  'secret_meta:get': 'read',
  'secret_meta:get, one': 'read',
  'secret_meta:post': 'write',
  'secret_meta:put': 'write',
  'secret_meta:put, one': 'write',
  'secret_meta:delete': 'write',
};
const OWNERS = {
  A: { user: 'caller', project: 'project-1' },
  B: { user: 'colleague', project: 'project-1' },
  E: { user: 'stranger', project: 'project-2' },
} as const;
const CALLER = OWNERS.A;

describe.each(['stock', 'secure'] as const)('the %s rules', (rules) => {
  let keyManager: KeyManager;
  beforeAll(async () => {
    keyManager = await startKeyManager(rules);
  });
  afterAll(async () => await keyManager.stop());

  const store = async (owner: { user: string; project: string }, bare = false): Promise<string> => {
    const client = keyManager.as(rules === 'stock' ? 'creator' : 'member', owner);
    const payload = bare ? {} : { payload: 'hi', payload_content_type: 'text/plain' };
    const { status, json } = await client.post('/v1/secrets', payload);
    expect(status).toBe(201);
    await client.put(`${json.secret_ref}/metadata`, { metadata: { env: 'prod' } });
    return json.secret_ref;
  };

  describe.each(Object.entries(TABLES[rules]))('for the role %s', (role, allowed) => {
    it.each(Object.entries(ACTS))('decide %s as the table says', async (rule, act) => {
      const cell = allowed[CELL[rule] ?? 'get'];
      for (const [which, owner] of Object.entries(OWNERS)) {
        const ref = await store(owner, act.bare);
        const reply = await act.run(keyManager.as(role, CALLER), ref);
        const seen = `${which}: ${reply.status} ${reply.status >= 400 ? reply.json.description : ''}`;
        const expected = cell.includes(which) ? `${act.status} ` : `403 ${act.operation}${REFUSED}`;
        expect(seen).toBe(`${which}: ${expected}`);
      }
    });

    it('decide who stores and who lists', async () => {
      const client = keyManager.as(role, CALLER);
      expect((await client.post('/v1/secrets', {})).status).toBe(allowed.post === 'y' ? 201 : 403);
      const listed = await client.get('/v1/secrets');
      expect(listed.status).toBe(allowed.list === 'y' ? 200 : 403);
      if (allowed.list !== 'y') {
        expect(listed.json.description).toBe(`Secret(s) retrieval${REFUSED}`);
      }
    });
  });

  it('leave a secret as it was for those whom they refuse', async () => {
    const ref = await store(OWNERS.B);
    const owner = keyManager.as(rules === 'stock' ? 'creator' : 'member', OWNERS.B);
    const before = [(await owner.get(ref)).text, (await owner.get(`${ref}/metadata`)).text];
    const stranger = keyManager.as(rules === 'stock' ? 'creator' : 'member', OWNERS.E);
    for (const act of Object.values(ACTS)) expect((await act.run(stranger, ref)).status).toBe(403);
    expect([(await owner.get(ref)).text, (await owner.get(`${ref}/metadata`)).text]).toEqual(before);
    expect((await owner.get(`${ref}/payload`)).text).toBe('hi');
  });

  it('say nothing to those without a token, and nothing of what exists', async () => {
    const ref = await store(OWNERS.A);
    for (const act of Object.values(ACTS)) {
      const reply = await act.run(keyManager.stranger(), ref);
      expect([reply.status, reply.json.title]).toEqual([401, 'Unauthorized']);
    }
  });

  it('give no right to nobody: not without roles, not with an empty one', async () => {
    const ref = await store(OWNERS.A);
    for (const roles of [[], [''], ['nobody']]) {
      const client = keyManager.as(roles, CALLER);
      for (const act of Object.values(ACTS)) expect((await act.run(client, ref)).status).toBe(403);
      expect((await client.post('/v1/secrets', {})).status).toBe(403);
      expect((await client.get('/v1/secrets')).status).toBe(403);
    }
  });

  it('answer 404 to everybody once a secret is deleted or has ended', async () => {
    const admin = keyManager.as(rules === 'stock' ? 'creator' : 'member', CALLER);
    const deleted = await store(OWNERS.A);
    await admin.delete(deleted);
    const expiration = new Date(Date.now() + 60_000).toISOString();
    const ended = (await admin.post('/v1/secrets', { expiration })).json.secret_ref;
    keyManager.clock.offsetMilliseconds = 60_000;
    try {
      for (const role of Object.keys(TABLES[rules])) {
        for (const [name, act] of Object.entries(ACTS)) {
          for (const ref of [deleted, ended]) {
            const reply = await act.run(keyManager.as(role, OWNERS.E), ref);
            expect([role, name, reply.status]).toEqual([role, name, 404]);
          }
        }
      }
    } finally {
      keyManager.clock.offsetMilliseconds = 0;
    }
  });
});
