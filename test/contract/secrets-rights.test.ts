import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RuleSetName } from '../../src/policy/can.ts';
import { type KeyManager, startKeyManager } from './key-manager.ts';
import { CALLER, type Case, CASES, COLLEAGUE, REFUSED, shareAs, STRANGER } from './ownership-cases.ts';
import type { Client, Reply } from './raw-http.ts';

const CONSUMER = { service: 'nova', resource_type: 'SERVER', resource_id: '1' };

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
  'secret_consumers:get': {
    operation: 'SecretConsumers(s) retrieval',
    status: 200,
    run: (client, ref) => client.get(`${ref}/consumers`),
  },
  'secret_consumers:post': {
    operation: 'SecretConsumer creation',
    status: 200,
    run: (client, ref) => client.post(`${ref}/consumers`, CONSUMER),
  },
  'secret_consumers:delete': {
    operation: 'SecretConsumer deletion',
    status: 404,
    run: (client, ref) => client.send('DELETE', `${ref}/consumers`, { body: CONSUMER }),
  },
  'secret_acls:get': {
    operation: 'SecretACL(s) retrieval',
    status: 200,
    run: (client, ref) => client.get(`${ref}/acl`),
  },
  'secret_acls:put_patch, put': {
    operation: 'SecretACL(s) Update',
    status: 200,
    run: (client, ref) => client.put(`${ref}/acl`, { read: { users: ['somebody'] } }),
  },
  'secret_acls:put_patch, patch': {
    operation: 'SecretACL(s) Update',
    status: 200,
    run: (client, ref) => client.send('PATCH', `${ref}/acl`, { body: { read: { 'project-access': true } } }),
  },
  'secret_acls:delete': {
    operation: 'SecretACL(s) deletion',
    status: 200,
    run: (client, ref) => client.delete(`${ref}/acl`),
  },
};

/**
 * Who may, as the contract's tables have it: A is the caller's own secret, B a colleague's, C and D the same
 * but private, E one of another project, F the same with the caller on its ACL, G a colleague's private one
 * with the caller on its ACL. `-` is nobody's.
 */
type Cell = 'post' | 'list' | 'get' | 'decrypt' | 'put' | 'delete' | 'read' | 'write' | 'acl' | 'share';
type Row = Record<Cell, string>;
const row = (cells: string): Row => {
  const [post, list, get, decrypt, put, remove, read, write, acl, share] = cells.trim().split(/\s+/);
  return { post, list, get, decrypt, put, delete: remove, read, write, acl, share } as Row;
};
const OUTSIDER = row('- - FG FG - - FG - - -');
const TABLES: Readonly<Record<RuleSetName, Readonly<Record<string, Row>>>> = {
  stock: {
    //              post list get  decrypt put delete read write (of user metadata) acl share (its change)
    admin: row('    y y ABCDFG ABCDFG ABCDG ABCDG ABCDFG ABCDG ABCDG ABCDG'),
    creator: row('  y y ABCFG  ABCFG  ABCDG ABC   ABCFG  ABC   ABCDG ABCDG'),
    observer: row(' - y ABFG   ABFG   -     -     ABFG   -     ABCDG -'),
    audit: row('    - - ABFG   FG     -     -     ABFG   -     -     -'),
    'key-manager:service-admin': row('- - ABFG FG - - ABFG - - -'),
    member: OUTSIDER,
    reader: OUTSIDER,
    Admin: OUTSIDER,
  },
  secure: {
    admin: row('    - - ABCDEFG ABCDFG ABCDG ABCDEFG ABCDFG ABCDG ABCDG ABCDG'),
    member: row('   y y ABCFG   ABCFG  ABC   ABC     ABCFG  ABC   AC    AC'),
    reader: OUTSIDER,
    creator: OUTSIDER,
    observer: OUTSIDER,
    audit: OUTSIDER,
    'key-manager:service-admin': OUTSIDER,
  },
};
const CELL: Readonly<Record<string, Cell>> = {
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
  'secret_consumers:get': 'read',
  'secret_consumers:post': 'read',
  'secret_consumers:delete': 'read',
  'secret_acls:get': 'acl',
  'secret_acls:put_patch, put': 'share',
  'secret_acls:put_patch, patch': 'share',
  'secret_acls:delete': 'share',
};

describe.each(['stock', 'secure'] as const)('the %s rules', (rules) => {
  let keyManager: KeyManager;
  beforeAll(async () => {
    keyManager = await startKeyManager(rules);
  });
  afterAll(async () => await keyManager.stop());

  const storing = rules === 'stock' ? 'creator' : 'member';
  const store = async ({ acl, ...owner }: Case, bare = false): Promise<string> => {
    const client = keyManager.as(storing, owner);
    const payload = bare ? {} : { payload: 'hi', payload_content_type: 'text/plain' };
    const { status, json } = await client.post('/v1/secrets', payload);
    expect(status).toBe(201);
    await client.put(`${json.secret_ref}/metadata`, { metadata: { env: 'prod' } });
    await shareAs(client, json.secret_ref, acl);
    return json.secret_ref;
  };

  describe.each(Object.entries(TABLES[rules]))('for the role %s', (role, allowed) => {
    it.each(Object.entries(ACTS))('decide %s as the table says', async (rule, act) => {
      const cell = allowed[CELL[rule] ?? 'get'];
      for (const [which, owner] of Object.entries(CASES)) {
        const ref = await store(owner, act.bare);
        const reply = await act.run(keyManager.as(role, CALLER), ref);
        const seen = `${which}: ${reply.status} ${reply.status >= 400 ? reply.json.description : ''}`;
        const done = `${act.status} ${act.status === 404 ? 'Consumer not found.' : ''}`;
        const expected = cell.includes(which) ? done : `403 ${act.operation}${REFUSED}`;
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
    const ref = await store(COLLEAGUE);
    const owner = keyManager.as(storing, COLLEAGUE);
    const before = [(await owner.get(ref)).text, (await owner.get(`${ref}/metadata`)).text];
    const stranger = keyManager.as(storing, STRANGER);
    for (const act of Object.values(ACTS)) expect((await act.run(stranger, ref)).status).toBe(403);
    expect([(await owner.get(ref)).text, (await owner.get(`${ref}/metadata`)).text]).toEqual(before);
    expect((await owner.get(`${ref}/payload`)).text).toBe('hi');
  });

  it('say nothing to those without a token, and nothing of what exists', async () => {
    const ref = await store(CALLER);
    for (const act of Object.values(ACTS)) {
      const reply = await act.run(keyManager.stranger(), ref);
      expect([reply.status, reply.json.title]).toEqual([401, 'Unauthorized']);
    }
  });

  it('give no right to nobody: not without roles, not with an empty one', async () => {
    const ref = await store(CALLER);
    for (const roles of [[], [''], ['nobody']]) {
      const client = keyManager.as(roles, CALLER);
      for (const act of Object.values(ACTS)) expect((await act.run(client, ref)).status).toBe(403);
      expect((await client.post('/v1/secrets', {})).status).toBe(403);
      expect((await client.get('/v1/secrets')).status).toBe(403);
    }
  });

  it('answer 404 to everybody once a secret is deleted or has ended', async () => {
    const admin = keyManager.as(storing, CALLER);
    const deleted = await store(CALLER);
    await admin.delete(deleted);
    const expiration = new Date(Date.now() + 60_000).toISOString();
    const ended = (await admin.post('/v1/secrets', { expiration })).json.secret_ref;
    keyManager.clock.offsetMilliseconds = 60_000;
    try {
      for (const role of Object.keys(TABLES[rules])) {
        for (const [name, act] of Object.entries(ACTS)) {
          for (const ref of [deleted, ended]) {
            const reply = await act.run(keyManager.as(role, STRANGER), ref);
            expect([role, name, reply.status]).toEqual([role, name, 404]);
          }
        }
      }
    } finally {
      keyManager.clock.offsetMilliseconds = 0;
    }
  });
});
