import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RuleSetName } from '../../src/policy/can.ts';
import { type KeyManager, startKeyManager } from './key-manager.ts';
import { CALLER, type Case, CASES, COLLEAGUE, REFUSED, shareAs, STRANGER } from './ownership-cases.ts';
import type { Client, Reply } from './raw-http.ts';

const CONSUMER = { name: 'lbaas', URL: 'lbaas://region/lb/1' };

interface Act {
  operation: string;
  status: number;
  run: (client: Client, container: string, secret: string) => Promise<Reply>;
}

/** Each operation on one container, by its rule: what it answers to those who may. */
const ACTS: Readonly<Record<string, Act>> = {
  'container:get': {
    operation: 'Container retrieval',
    status: 200,
    run: (client, ref) => client.get(ref),
  },
  'container:delete': {
    operation: 'Container deletion',
    status: 204,
    run: (client, ref) => client.delete(ref),
  },
  'container_secret:post': {
    operation: 'Container Secret creation',
    status: 201,
    run: (client, ref, secret) => client.post(`${ref}/secrets`, { name: 'other', secret_ref: secret }),
  },
  'container_secret:delete': {
    operation: 'Container Secret deletion',
    status: 204,
    run: (client, ref, secret) =>
      client.delete(`${ref}/secrets`, { body: { name: 'slot', secret_ref: secret } }),
  },
  'container_consumers:get': {
    operation: 'ContainerConsumers(s) retrieval',
    status: 200,
    run: (client, ref) => client.get(`${ref}/consumers`),
  },
  'container_consumers:post': {
    operation: 'ContainerConsumer creation',
    status: 200,
    run: (client, ref) => client.post(`${ref}/consumers`, CONSUMER),
  },
  'container_consumers:delete': {
    operation: 'ContainerConsumer deletion',
    status: 404,
    run: (client, ref) => client.delete(`${ref}/consumers`, { body: CONSUMER }),
  },
  'container_acls:get': {
    operation: 'ContainerACL(s) retrieval',
    status: 200,
    run: (client, ref) => client.get(`${ref}/acl`),
  },
  'container_acls:put_patch, put': {
    operation: 'ContainerACL(s) Update',
    status: 200,
    run: (client, ref) => client.put(`${ref}/acl`, { read: { users: ['somebody'] } }),
  },
  'container_acls:put_patch, patch': {
    operation: 'ContainerACL(s) Update',
    status: 200,
    run: (client, ref) => client.send('PATCH', `${ref}/acl`, { body: { read: { 'project-access': true } } }),
  },
  'container_acls:delete': {
    operation: 'ContainerACL(s) deletion',
    status: 200,
    run: (client, ref) => client.delete(`${ref}/acl`),
  },
};

/**
 * Who may, as the contract's tables have it: A is the caller's own container, B a colleague's, C and D the
 * same but private, E one of another project, F the same with the caller on its ACL, G a colleague's private
 * one with the caller on its ACL. `-` is nobody's.
 */
type Row = Record<'post' | 'list' | 'get' | 'delete' | 'change' | 'acl' | 'share', string>;
const row = (cells: string): Row => {
  const [post, list, get, remove, change, acl, share] = cells.trim().split(/\s+/);
  return { post, list, get, delete: remove, change, acl, share } as Row;
};
const OUTSIDER = row('- - FG - - - -');
const TABLES: Readonly<Record<RuleSetName, Readonly<Record<string, Row>>>> = {
  stock: {
    //              post list get delete change (of its secrets) acl share (its change)
    admin: row('    y y ABCDFG ABCDG ABCDG ABCDG ABCDG'),
    creator: row('  y y ABCFG  AC    ABC   ABCDG ABCDG'),
    observer: row(' - y ABFG   -     -     ABCDG -'),
    audit: row('    - - ABFG   -     -     -     -'),
    'key-manager:service-admin': row('- - ABFG - - - -'),
    member: OUTSIDER,
    reader: OUTSIDER,
    Admin: OUTSIDER,
  },
  secure: {
    admin: row('    - - ABCDFG ABCDG ABCDG ABCDG ABCDG'),
    member: row('   y y ABCFG  ABC   ABC   AC    AC'),
    reader: OUTSIDER,
    creator: OUTSIDER,
    observer: OUTSIDER,
    audit: OUTSIDER,
    'key-manager:service-admin': OUTSIDER,
  },
};
const CELL: Readonly<Record<string, keyof Row>> = {
  'container:get': 'get',
  'container:delete': 'delete',
  'container_secret:post': 'change',
  'container_secret:delete': 'change',
  'container_consumers:get': 'get',
  'container_consumers:post': 'get',
  'container_consumers:delete': 'get',
  'container_acls:get': 'acl',
  'container_acls:put_patch, put': 'share',
  'container_acls:put_patch, patch': 'share',
  'container_acls:delete': 'share',
};

describe.each(['stock', 'secure'] as const)('the %s rules', (rules) => {
  let keyManager: KeyManager;
  beforeAll(async () => {
    keyManager = await startKeyManager(rules);
  });
  afterAll(async () => await keyManager.stop());

  const storing = rules === 'stock' ? 'creator' : 'member';
  const make = async ({ acl, ...owner }: Case): Promise<[container: string, secret: string]> => {
    const client = keyManager.as(storing, owner);
    const { secret_ref } = (await client.post('/v1/secrets', {})).json;
    const body = { type: 'generic', secret_refs: [{ name: 'slot', secret_ref }] };
    const { status, json } = await client.post('/v1/containers', body);
    expect(status).toBe(201);
    await shareAs(client, json.container_ref, acl);
    return [json.container_ref, secret_ref];
  };

  describe.each(Object.entries(TABLES[rules]))('for the role %s', (role, allowed) => {
    it.each(Object.entries(ACTS))('decide %s as the table says', async (rule, act) => {
      const cell = allowed[CELL[rule] ?? 'get'];
      for (const [which, owner] of Object.entries(CASES)) {
        const [ref, secret] = await make(owner);
        const reply = await act.run(keyManager.as(role, CALLER), ref, secret);
        const seen = `${which}: ${reply.status} ${reply.status >= 400 ? reply.json.description : ''}`;
        const done = `${act.status} ${act.status === 404 ? 'Consumer not found.' : ''}`;
        const expected = cell.includes(which) ? done : `403 ${act.operation}${REFUSED}`;
        expect(seen).toBe(`${which}: ${expected}`);
      }
    });

    it('decide who makes and who lists', async () => {
      const client = keyManager.as(role, CALLER);
      const made = await client.post('/v1/containers', { type: 'generic' });
      expect(made.status).toBe(allowed.post === 'y' ? 201 : 403);
      if (allowed.post !== 'y') expect(made.json.description).toBe(`Container creation${REFUSED}`);
      const listed = await client.get('/v1/containers');
      expect(listed.status).toBe(allowed.list === 'y' ? 200 : 403);
      if (allowed.list !== 'y') expect(listed.json.description).toBe(`Containers(s) retrieval${REFUSED}`);
    });
  });

  it('leave a container as it was for those whom they refuse', async () => {
    const [ref, secret] = await make(COLLEAGUE);
    const owner = keyManager.as(storing, COLLEAGUE);
    const before = (await owner.get(ref)).text;
    const stranger = keyManager.as(storing, STRANGER);
    for (const act of Object.values(ACTS)) {
      const reply = await act.run(stranger, ref, secret);
      expect(reply.status).toBe(403);
      expect(reply.text).not.toContain(secret.slice(-36));
    }
    expect((await owner.get(ref)).text).toBe(before);
  });

  it('say nothing to those without a token, and nothing of what exists', async () => {
    const [ref, secret] = await make(CALLER);
    for (const act of Object.values(ACTS)) {
      const reply = await act.run(keyManager.stranger(), ref, secret);
      expect([reply.status, reply.json.title]).toEqual([401, 'Unauthorized']);
    }
  });

  it('give no right to nobody: not without roles, not with an empty one', async () => {
    const [ref, secret] = await make(CALLER);
    for (const roles of [[], [''], ['nobody']]) {
      const client = keyManager.as(roles, CALLER);
      for (const act of Object.values(ACTS)) expect((await act.run(client, ref, secret)).status).toBe(403);
      expect((await client.post('/v1/containers', { type: 'generic' })).status).toBe(403);
      expect((await client.get('/v1/containers')).status).toBe(403);
    }
  });

  it('answer 404 to everybody once a container is deleted', async () => {
    const [ref, secret] = await make(CALLER);
    expect((await keyManager.as(storing, CALLER).delete(ref)).status).toBe(204);
    for (const role of Object.keys(TABLES[rules])) {
      for (const [name, act] of Object.entries(ACTS)) {
        const reply = await act.run(keyManager.as(role, STRANGER), ref, secret);
        const { description } = reply.json;
        expect([role, name, reply.status, description]).toEqual([
          role,
          name,
          404,
          'Secrets container not found.',
        ]);
      }
    }
  });

  it('let a secret into a container whatever its own ACL: it shows its id and no more', async () => {
    const owner = keyManager.as(storing, COLLEAGUE);
    const { secret_ref } = (await owner.post('/v1/secrets', {})).json;
    await owner.put(`${secret_ref}/acl`, { read: { 'project-access': false } });
    const body = { type: 'generic', secret_refs: [{ secret_ref }] };
    const made = await keyManager.as(storing, CALLER).post('/v1/containers', body);
    expect(made.status).toBe(201);
  });

  it('ask for the right to the container, never for what the query says', async () => {
    const [ref] = await make(STRANGER);
    const query = '?target.container.read=read&target.container.project_id=project-1';
    const path = `${new URL(ref).pathname}${query}`;
    expect((await keyManager.as(storing, CALLER).get(path)).status).toBe(403);
  });
});
