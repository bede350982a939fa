import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KeyManager, startKeyManager } from './key-manager.ts';
import type { Client } from './raw-http.ts';
import { EVERY_ROLE, expectRights, type RoleAct } from './role-rights.ts';

const NONE = { secrets: -1, orders: -1, containers: -1, consumers: -1, cas: -1 };
const UNSET = { secrets: null, orders: null, containers: null, consumers: null, cas: null };

let keyManager: KeyManager;
let serviceAdmin: Client;
let count = 0;

beforeAll(async () => {
  keyManager = await startKeyManager();
  serviceAdmin = keyManager.as('key-manager:service-admin');
});
afterAll(async () => await keyManager.stop());

function newProject(): string {
  count += 1;
  return `project-of-quotas-${count}`;
}

const put = async (project: string, limits: unknown) =>
  await serviceAdmin.put(`/v1/project-quotas/${project}`, { project_quotas: limits });
const get = async (project: string) => await serviceAdmin.get(`/v1/project-quotas/${project}`);

describe('GET /v1/quotas', () => {
  it('shows a project without limits of its own the defaults of the configuration', async () => {
    const reply = await keyManager.as('observer', { project: newProject() }).get('/v1/quotas');
    expect([reply.status, reply.json]).toEqual([200, { quotas: NONE }]);
  });

  it('shows the limits that hold: its own, and the defaults for those that are not set', async () => {
    const project = newProject();
    await put(project, { secrets: 3, orders: 0, consumers: -7 });
    const reply = await keyManager.as('observer', { project }).get('/v1/quotas');
    expect(reply.json.quotas).toEqual({ ...NONE, secrets: 3, orders: 0, consumers: -7 });
  });

  it('knows no other method', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      const reply = await serviceAdmin.send(method, '/v1/quotas');
      expect([reply.status, reply.headers.allow]).toEqual([405, 'GET']);
    }
  });

  it('refuses whoever has no token', async () => {
    expect((await keyManager.stranger().get('/v1/quotas')).status).toBe(401);
  });
});

describe('PUT /v1/project-quotas/{id}', () => {
  it('sets limits and answers nothing, also of a project that nobody knows yet', async () => {
    const project = newProject();
    const reply = await put(project, { secrets: 1, orders: 2, containers: 0 });
    expect([reply.status, reply.text, reply.headers['content-length']]).toEqual([204, '', undefined]);
    const shown = (await get(project)).json;
    expect(shown).toEqual({ project_quotas: { ...UNSET, secrets: 1, orders: 2, containers: 0 } });
  });

  it('merges: what it does not name keeps its value', async () => {
    const project = newProject();
    await put(project, { secrets: 1, cas: 4 });
    await put(project, { secrets: 9, consumers: 2 });
    const shown = (await get(project)).json.project_quotas;
    expect(shown).toEqual({ ...UNSET, secrets: 9, consumers: 2, cas: 4 });
  });

  it('makes a project one with limits of its own even when it names none', async () => {
    const project = newProject();
    expect((await put(project, {})).status).toBe(204);
    expect((await get(project)).json).toEqual({ project_quotas: UNSET });
  });

  it.each([
    [{}, "'project_quotas' is a required property"],
    [{ project_quotas: null }, "None is not of type 'object'"],
    [{ project_quotas: [] }, "[] is not of type 'object'"],
    [{ project_quotas: { secrets: '1' } }, "'1' is not of type 'integer'"],
    [{ project_quotas: { secrets: null } }, "None is not of type 'integer'"],
    [{ project_quotas: { secrets: true } }, "True is not of type 'integer'"],
    [{ project_quotas: { orders: 1.5 } }, "1.5 is not of type 'integer'"],
    [
      { project_quotas: { payloads: 1 } },
      "Additional properties are not allowed ('payloads' was unexpected)",
    ],
    [
      { project_quotas: { secrets: 1 }, more: 1 },
      "Additional properties are not allowed ('more' was unexpected)",
    ],
    [{ project_quotas: { secrets: 2_147_483_648 } }, 'is greater than the maximum of 2147483647'],
    [{ project_quotas: { secrets: -2_147_483_649 } }, 'is less than the minimum of -2147483648'],
  ])('refuses %j', async (body, reason) => {
    const project = newProject();
    const reply = await serviceAdmin.put(`/v1/project-quotas/${project}`, body);
    expect(reply.status).toBe(400);
    expect(reply.json.description).toContain(`Provided object does not match schema 'Project Quota': `);
    expect(reply.json.description).toContain(reason);
    expect((await get(project)).status).toBe(404);
  });

  it('has words of its own for an empty body, once its type is right', async () => {
    const path = `/v1/project-quotas/${newProject()}`;
    const headers = { 'content-type': 'application/json' };
    const reply = await serviceAdmin.put(path, '', { headers });
    expect([reply.status, reply.json.description]).toEqual([
      400,
      'Project Quotas issue seen - No data supplied to process..',
    ]);
    expect((await serviceAdmin.put(path, '{', { headers })).json.description).toBe('Malformed JSON');
    expect((await serviceAdmin.put(path)).status).toBe(415);
    const text = { headers: { 'content-type': 'text/plain' } };
    expect((await serviceAdmin.put(path, '{}', text)).status).toBe(415);
  });

  it('takes no limits of what is no project', async () => {
    for (const id of ['x'.repeat(256), '%01', '%7F']) {
      expect((await put(id, { secrets: 1 })).status, id).toBe(400);
      expect((await get(id)).status, id).toBe(404);
    }
    expect((await put('system', { secrets: 1 })).status).toBe(404);
    expect((await serviceAdmin.delete('/v1/project-quotas/system')).status).toBe(404);
  });

  it('loses no change of many at once', async () => {
    const project = newProject();
    const names = ['secrets', 'orders', 'containers', 'consumers', 'cas'];
    const replies = await Promise.all(names.map(async (name, n) => await put(project, { [name]: n })));
    for (const { status } of replies) expect([204, 503]).toContain(status);
    for (const [n, name] of names.entries()) {
      if (replies[n]?.status !== 204) await put(project, { [name]: n });
    }
    const shown = (await get(project)).json.project_quotas;
    expect(shown).toEqual({ secrets: 0, orders: 1, containers: 2, consumers: 3, cas: 4 });
  });
});

describe('GET and DELETE /v1/project-quotas/{id}', () => {
  it('find no limits where none were set', async () => {
    const path = `/v1/project-quotas/${newProject()}`;
    for (const method of ['GET', 'DELETE']) {
      const reply = await serviceAdmin.send(method, path);
      expect([reply.status, reply.json.description]).toEqual([404, 'Project quotas not found.']);
    }
  });

  it('give a project back to the defaults', async () => {
    const project = newProject();
    await put(project, { secrets: 0 });
    const creator = keyManager.as('creator', { project });
    expect((await creator.post('/v1/secrets', {})).status).toBe(403);
    const reply = await serviceAdmin.delete(`/v1/project-quotas/${project}`);
    expect([reply.status, reply.text, reply.headers['content-length']]).toEqual([204, '', undefined]);
    expect((await get(project)).status).toBe(404);
    expect((await creator.post('/v1/secrets', {})).status).toBe(201);
  });

  it('know no other method, on one or on all', async () => {
    const one = await serviceAdmin.post('/v1/project-quotas/x', {});
    expect([one.status, one.headers.allow]).toEqual([405, 'DELETE, GET, PUT']);
    for (const method of ['POST', 'PUT']) {
      const all = await serviceAdmin.send(method, '/v1/project-quotas');
      expect([all.status, all.headers.allow]).toEqual([405, 'GET']);
    }
  });
});

describe('GET /v1/project-quotas', () => {
  it('pages through the projects that have limits of their own, and no others', async () => {
    const other = await startKeyManager();
    const admin = other.as('key-manager:service-admin');
    await other.as('creator', { project: 'unlimited' }).post('/v1/secrets', {});
    for (const project of ['a', 'b', 'c']) {
      await admin.put(`/v1/project-quotas/${project}`, { project_quotas: { secrets: 1 } });
    }
    const first = (await admin.get('/v1/project-quotas?limit=2')).json;
    const limits = { ...UNSET, secrets: 1 };
    expect(first).toEqual({
      project_quotas: [
        { project_id: 'a', project_quotas: limits },
        { project_id: 'b', project_quotas: limits },
      ],
      next: `${other.publicUrl}/v1/project-quotas?limit=2&offset=2`,
      total: 3,
    });
    const second = (await admin.get(new URL(first.next).pathname + new URL(first.next).search)).json;
    expect(second.project_quotas).toEqual([{ project_id: 'c', project_quotas: limits }]);
    expect(second.previous).toBe(`${other.publicUrl}/v1/project-quotas?limit=2&offset=0`);
    expect(second.next).toBeUndefined();
    await other.stop();
  });
});

describe('a limit', () => {
  it('of 0 allows none, and of less than 0 all', async () => {
    const project = newProject();
    const creator = keyManager.as('creator', { project });
    await put(project, { secrets: 0 });
    const refused = await creator.post('/v1/secrets', {});
    expect([refused.status, refused.json]).toEqual([
      403,
      {
        code: 403,
        title: 'Forbidden',
        description: 'Secret creation issue seen - Creation not allowed because a quota has been reached.',
      },
    ]);
    await put(project, { secrets: -5 });
    expect((await creator.post('/v1/secrets', {})).status).toBe(201);
  });

  it('holds from the answer that set it on, for who created without one a moment before', async () => {
    const project = newProject();
    const creator = keyManager.as('creator', { project });
    expect((await creator.post('/v1/secrets', {})).status).toBe(201);
    await put(project, { secrets: 1 });
    expect((await creator.post('/v1/secrets', {})).status).toBe(403);
    await put(project, { secrets: 2 });
    expect((await creator.post('/v1/secrets', {})).status).toBe(201);
  });

  it('leaves what there is: reading and deleting go on', async () => {
    const project = newProject();
    const creator = keyManager.as('creator', { project });
    const { secret_ref } = (await creator.post('/v1/secrets', {})).json;
    await put(project, { secrets: 0 });
    expect((await creator.get(secret_ref)).status).toBe(200);
    expect((await creator.delete(secret_ref)).status).toBe(204);
  });

  it('that was edited in the database is refused, and so is whatever rests on it', async () => {
    const project = newProject();
    await put(project, { secrets: 5 });
    const { db, keyring } = keyManager.coffer;
    const edit = async (limits: string): Promise<void> => {
      await db.query({ text: `UPDATE projects SET limits = ${limits} WHERE id = $1`, values: [project] });
      keyring.forgetProject(project);
    };
    const { rows } = await db.query<{ limits: Buffer }>({
      text: 'SELECT limits FROM projects WHERE id = $1',
      values: [project],
    });
    const kept = `'\\x${rows[0]!.limits.toString('hex')}'`;
    for (const forged of ['NULL', `set_byte(limits, length(limits) - 1, 99)`, `'\\x'`]) {
      await edit(forged);
      expect((await get(project)).status).toBe(500);
      const creation = await keyManager.as('creator', { project }).post('/v1/secrets', {});
      expect([creation.status, creation.json.title]).toEqual([500, 'Integrity Violation']);
      await edit(kept);
    }
    expect((await keyManager.as('creator', { project }).post('/v1/secrets', {})).status).toBe(201);
  });
});

const PATH = '/v1/project-quotas/of-rights';
const ACTS: readonly RoleAct[] = [
  {
    operation: 'Quotas',
    status: 200,
    stock: EVERY_ROLE,
    secure: ['reader'],
    run: async (client) => await client.get('/v1/quotas'),
  },
  ...(
    [
      ['GET', '/v1/project-quotas', 200],
      ['GET', PATH, 200],
      ['PUT', PATH, 204],
      ['DELETE', PATH, 204],
    ] as const
  ).map(([method, path, status]) => ({
    operation: 'Project Quotas',
    status,
    stock: ['key-manager:service-admin'],
    secure: ['admin'],
    run: async (client: Client) =>
      await client.send(method, path, method === 'PUT' ? { body: { project_quotas: {} } } : {}),
  })),
];

describe.each(['stock', 'secure'] as const)('under the %s rules', (rules) => {
  it('each operation is for the roles of the contract', async () => {
    const other = await startKeyManager(rules);
    const admin = other.as(rules === 'stock' ? 'key-manager:service-admin' : 'admin');
    for (const act of ACTS) {
      await expectRights(other, rules, act, async () => {
        await admin.put(PATH, { project_quotas: { secrets: 1 } });
      });
    }
    await other.stop();
  });
});
