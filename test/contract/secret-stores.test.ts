import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { updateRow } from '../../src/db/sealed.ts';
import { storeId } from '../../src/keyring/stores.ts';
import { type KeyManager, startKeyManager } from './key-manager.ts';
import type { Client } from './raw-http.ts';
import { EVERY_ROLE, expectRights, type RoleAct } from './role-rights.ts';

const TIMESTAMP = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}$/;
const NOT_ENABLED = 'Not Found. Multiple backends support is not enabled in service configuration.';
const NO_PREFERENCE = 'Not Found. No preferred secret store defined for this project.';
const text = (payload: string) => ({ payload, payload_content_type: 'text/plain' });

let keyManager: KeyManager;
let count = 0;

beforeAll(async () => {
  keyManager = await startKeyManager('stock', ['main', 'second']);
});
afterAll(async () => await keyManager.stop());

function newProject(): { project: string; admin: Client } {
  count += 1;
  const project = `project-of-stores-${count}`;
  return { project, admin: keyManager.as('admin', { project }) };
}

const idOf = (name: string, of = keyManager): string => storeId(of.coffer.keyring.installationId, name);
const preferred = (name: string): string => `/v1/secret-stores/${idOf(name)}/preferred`;

function expected(name: string): object {
  return {
    created: expect.stringMatching(TIMESTAMP),
    updated: expect.stringMatching(TIMESTAMP),
    status: 'ACTIVE',
    name,
    global_default: name === 'main',
    crypto_plugin: 'simple_crypto',
    secret_store_plugin: 'store_crypto',
    secret_store_ref: `${keyManager.publicUrl}/v1/secret-stores/${idOf(name)}`,
  };
}

/** The stores of a project's KEKs, in the order of their epochs. */
async function storesOfKeks(project: string): Promise<string[]> {
  const { rows } = await keyManager.coffer.db.query<{ store: string }>({
    text: 'SELECT store FROM keks WHERE project_id = $1 ORDER BY epoch',
    values: [project],
  });
  return rows.map(({ store }) => store);
}

/** The store whose KEK wraps the DEK of a secret. */
async function storeOfSecret(reference: string): Promise<string | undefined> {
  const { rows } = await keyManager.coffer.db.query<{ store: string }>({
    text: `SELECT store FROM secrets JOIN keks USING (project_id, epoch) WHERE secrets.id = $1`,
    values: [reference.split('/').at(-1)],
  });
  return rows[0]?.store;
}

describe('with one store', () => {
  it('every path answers that there is no choice', async () => {
    const single = await startKeyManager();
    const admin = single.as('admin');
    const id = storeId(single.coffer.keyring.installationId, 'software');
    for (const [method, path] of [
      ['GET', '/v1/secret-stores'],
      ['GET', '/v1/secret-stores/global-default'],
      ['GET', '/v1/secret-stores/preferred'],
      ['GET', `/v1/secret-stores/${id}`],
      ['POST', `/v1/secret-stores/${id}/preferred`],
      ['DELETE', `/v1/secret-stores/${id}/preferred`],
    ] as const) {
      const reply = await admin.send(method, path);
      expect([reply.status, reply.json.description]).toEqual([404, NOT_ENABLED]);
    }
    await single.stop();
  });
});

describe('with several stores', () => {
  it('lists them, the default first, without paging', async () => {
    const { admin } = newProject();
    const reply = await admin.get('/v1/secret-stores?limit=1');
    expect([reply.status, reply.json]).toEqual([
      200,
      { secret_stores: [expected('main'), expected('second')] },
    ]);
    expect(Object.keys(reply.json.secret_stores[0])).toEqual(Object.keys(expected('main')));
  });

  it('shows the same ids and times each time', async () => {
    const { admin } = newProject();
    const [one, two] = [await admin.get('/v1/secret-stores'), await admin.get('/v1/secret-stores')];
    expect(one.json).toEqual(two.json);
  });

  it('shows the default, and each by its id', async () => {
    const { admin } = newProject();
    expect((await admin.get('/v1/secret-stores/global-default')).json).toEqual(expected('main'));
    for (const name of ['main', 'second']) {
      const reply = await admin.get(`/v1/secret-stores/${idOf(name)}`);
      expect([reply.status, reply.json]).toEqual([200, expected(name)]);
    }
  });

  it('finds no other store', async () => {
    const { admin } = newProject();
    // One of digits alone is the same in upper case.
    const upper = ['main', 'second'].map((name) => idOf(name).toUpperCase()).filter((id) => /[A-F]/.test(id));
    for (const id of [idOf('third'), 'nope', ...upper]) {
      for (const [method, path] of [
        ['GET', `/v1/secret-stores/${id}`],
        ['POST', `/v1/secret-stores/${id}/preferred`],
        ['DELETE', `/v1/secret-stores/${id}/preferred`],
      ] as const) {
        const reply = await admin.send(method, path);
        expect([reply.status, reply.json.description]).toEqual([404, 'Not Found. Secret store not found.']);
      }
    }
  });

  it('knows no other methods, and no paths below', async () => {
    const { admin } = newProject();
    const one = await admin.get(preferred('main'));
    expect([one.status, one.headers.allow]).toEqual([405, 'DELETE, POST']);
    expect((await admin.post('/v1/secret-stores', {})).status).toBe(405);
    expect((await admin.get(`/v1/secret-stores/${idOf('main')}/nope`)).status).toBe(404);
  });

  it('has no preference until there is one, and none again once it is removed', async () => {
    const { admin } = newProject();
    const none = await admin.get('/v1/secret-stores/preferred');
    expect([none.status, none.json.description]).toEqual([404, NO_PREFERENCE]);
    const set = await admin.post(preferred('second'));
    expect([set.status, set.text, set.headers['content-length']]).toEqual([204, '', undefined]);
    expect((await admin.get('/v1/secret-stores/preferred')).json).toEqual(expected('second'));
    // Removed by the id of another one too, as Barbican does.
    const removed = await admin.delete(preferred('main'));
    expect([removed.status, removed.text, removed.headers['content-length']]).toEqual([204, '', undefined]);
    expect((await admin.get('/v1/secret-stores/preferred')).status).toBe(404);
    const again = await admin.delete(preferred('main'));
    expect([again.status, again.json.description]).toEqual([404, NO_PREFERENCE]);
  });

  it('shows a preference at once that was set on another server', async () => {
    const { project, admin } = newProject();
    const shown = async () => (await admin.get('/v1/secret-stores/preferred')).status;
    // The row of the project is in this server's cache from here on.
    await admin.post('/v1/secrets', text('x'));
    expect(await shown()).toBe(404);
    const { keyring, db, clock } = keyManager.coffer;
    const row = (await keyring.findProject(project))!;
    await updateRow(db, keyring, 'projects', row, { preferred_store: 'second', updated: clock.now() });
    expect(await shown()).toBe(200);
    expect((await admin.get('/v1/secret-stores/preferred')).json).toEqual(expected('second'));
  });

  it('keeps the preference of each project to itself', async () => {
    const [one, two] = [newProject(), newProject()];
    await one.admin.post(preferred('second'));
    expect((await two.admin.get('/v1/secret-stores/preferred')).status).toBe(404);
  });
});

describe('a secret', () => {
  it('really goes to the store that its project prefers, and older ones stay readable', async () => {
    const { project, admin } = newProject();
    const make = async (payload: string): Promise<string> =>
      (await admin.post('/v1/secrets', text(payload))).json.secret_ref;
    const before = await make('before');
    await admin.post(preferred('second'));
    const between = await make('between');
    await admin.delete(preferred('second'));
    const after = await make('after');
    const stores = await Promise.all([before, between, after].map(storeOfSecret));
    expect(stores).toEqual(['main', 'second', 'main']);
    expect(await storesOfKeks(project)).toEqual(['main', 'second', 'main']);
    for (const [reference, payload] of [
      [before, 'before'],
      [between, 'between'],
      [after, 'after'],
    ]) {
      const reply = await admin.get(`${reference}/payload`, { headers: { accept: 'text/plain' } });
      expect([reply.status, reply.text]).toEqual([200, payload]);
    }
    expect((await admin.get('/v1/secrets')).json.total).toBe(3);
  });

  it('goes to the first choice of a project that never wrote before', async () => {
    const { project, admin } = newProject();
    await admin.post(preferred('second'));
    await admin.post('/v1/secrets', text('first'));
    expect(await storesOfKeks(project)).toEqual(['second']);
  });

  it('does not follow a preference that was edited in the database', async () => {
    const { project, admin } = newProject();
    await admin.post('/v1/secrets', text('first'));
    const { db, keyring } = keyManager.coffer;
    const edit = { text: `UPDATE projects SET preferred_store = 'second' WHERE id = $1`, values: [project] };
    await db.query(edit);
    keyring.forgetProject(project);
    const reply = await admin.post('/v1/secrets', text('second'));
    expect([reply.status, reply.json.title]).toEqual([500, 'Integrity Violation']);
    expect(await storesOfKeks(project)).toEqual(['main']);
  });
});

const DEFAULT = '/v1/secret-stores/global-default';
const acts = (id: string): readonly RoleAct[] => [
  ...(
    [
      ['List available secret stores', '/v1/secret-stores'],
      ['Retrieve global default secret store', DEFAULT],
      ['Retrieve project preferred store', '/v1/secret-stores/preferred'],
      ['Secret store retrieval', `/v1/secret-stores/${id}`],
    ] as const
  ).map(([operation, path]) => ({
    operation,
    status: 200,
    stock: EVERY_ROLE,
    secure: ['reader'],
    run: async (client: Client) => await client.get(path),
  })),
  ...(
    [
      ['Setting preferred secret store', 'POST'],
      ['Removing preferred secret store', 'DELETE'],
    ] as const
  ).map(([operation, method]) => ({
    operation,
    status: 204,
    stock: ['admin'],
    secure: ['admin'],
    run: async (client: Client) => await client.send(method, `/v1/secret-stores/${id}/preferred`),
  })),
];

describe.each(['stock', 'secure'] as const)('under the %s rules', (rules) => {
  it('each operation is for the roles of the contract', async () => {
    const other = await startKeyManager(rules, ['main', 'second']);
    const id = idOf('second', other);
    for (const act of acts(id)) {
      await expectRights(other, rules, act, async () => {
        await other.as('admin').post(`/v1/secret-stores/${id}/preferred`);
      });
    }
    await other.stop();
  });

  it('a list of stores that there is none of is refused for the role first', async () => {
    const other = await startKeyManager(rules);
    expect((await other.as('nobody').get('/v1/secret-stores')).status).toBe(403);
    await other.stop();
  });
});
