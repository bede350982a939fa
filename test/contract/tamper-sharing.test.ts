import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Db } from '../../src/db/open.ts';
import {
  attack,
  columnAttacks,
  copyRow,
  exchange,
  keepAlso,
  restore,
  tamperableColumns,
} from './tamper-sql.ts';
import { readyForAttacks, setStage, type Stage } from './tamper-stage.ts';

// Whoever writes the database changes who shares a secret, or who says to use it.

let stage: Stage;
let db: Db;
let rows: Record<'ours' | 'alsoOurs' | 'ofAnother' | 'foreign', string>;

const consumer = (resource_id: string) => ({ service: 'nova', resource_type: 'SERVER', resource_id });

beforeAll(async () => {
  stage = await setStage();
  const { alice, bob, first, second, foreign } = stage;
  db = stage.coffer.installation.db;
  for (const [client, secret, id] of [
    [alice.client, first, 'ours'],
    [alice.client, first, 'also ours'],
    [alice.client, second, 'of another'],
    [bob.client, foreign, 'foreign'],
  ] as const) {
    expect((await client.post(`/v1/secrets/${secret.id}/consumers`, consumer(id))).status).toBe(200);
  }
  await readyForAttacks(stage);
  const idOf = async (resource: string): Promise<string> => {
    const text = 'SELECT id FROM secret_consumers WHERE resource_id = $1';
    return (await db.query<{ id: string }>({ text, values: [resource] })).rows[0]!.id;
  };
  rows = {
    ours: await idOf('ours'),
    alsoOurs: await idOf('also ours'),
    ofAnother: await idOf('of another'),
    foreign: await idOf('foreign'),
  };
});

afterAll(async () => await stage.coffer.stop());

const shown = async (secretId = stage.first.id): Promise<string[]> => {
  const reply = await stage.alice.client.get(`/v1/secrets/${secretId}`, { version: '1.1' });
  expect(reply.status, reply.text).toBe(200);
  const listed = await stage.alice.client.get(`/v1/secrets/${secretId}/consumers`);
  const names = ({ consumers }: { consumers: { resource_id: string }[] }) =>
    consumers.map(({ resource_id }) => resource_id).sort();
  expect(names(listed.json)).toEqual(names(reply.json));
  return names(reply.json);
};

describe('a consumer', () => {
  it('with any column changed, emptied or exchanged is not shown, and harms no other', async () => {
    const attacks = await columnAttacks(db, 'secret_consumers', rows.ours, [rows.ofAnother, rows.foreign]);
    expect(attacks.length).toBeGreaterThan((3 * tamperableColumns('secret_consumers').size) / 2);
    for (const { name, statements } of attacks) {
      await attack(db, statements);
      const found = await shown();
      expect([name, found]).toEqual([name, found.filter((one) => one === 'also ours')]);
      expect(await shown(stage.second.id), name).toEqual(name.endsWith('row 2') ? [] : ['of another']);
      const removal = await stage.alice.client.send('DELETE', `/v1/secrets/${stage.first.id}/consumers`, {
        body: consumer('ours'),
      });
      expect([name, [404, 500].includes(removal.status)]).toEqual([name, true]);
      await restore(db, ['secret_consumers']);
    }
  });

  it('of another secret or project is not had by exchange or copy', async () => {
    const all = [...tamperableColumns('secret_consumers').keys()].filter((name) => name !== 'id');
    const { first, second } = stage;
    for (const statement of [
      exchange('secret_consumers', ['parent_id'], rows.ours, rows.ofAnother),
      exchange('secret_consumers', all, rows.ours, rows.foreign),
      copyRow('secret_consumers', rows.ofAnother, {
        id: `'${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}'`,
        parent_id: `'${first.id}'`,
      }),
      copyRow('secret_consumers', rows.foreign, { parent_id: `'${first.id}'`, project_id: `'x'` }),
    ]) {
      await attack(db, [statement]);
      expect((await shown()).filter((one) => one !== 'ours' && one !== 'also ours')).toEqual([]);
      expect((await shown(second.id)).filter((one) => one !== 'of another')).toEqual([]);
      await restore(db, ['secret_consumers']);
    }
  });

  it('made up holds a deletion back at most, and goes with the secret', async () => {
    const { alice } = stage;
    const stored = await alice.client.post('/v1/secrets', {});
    const id = String(stored.json.secret_ref).slice(-36);
    await attack(db, [copyRow('secret_consumers', rows.ours, { parent_id: `'${id}'` })]);
    expect((await alice.client.delete(`/v1/secrets/${id}`, { version: '1.2' })).status).toBe(400);
    expect((await alice.client.delete(`/v1/secrets/${id}?force=true`, { version: '1.2' })).status).toBe(204);
    const text = 'SELECT FROM secret_consumers WHERE parent_id = $1';
    expect((await db.query({ text, values: [id] })).rows).toEqual([]);
    await restore(db, ['secret_consumers']);
  });
});

describe('a consumer of a container', () => {
  it('with any column changed, emptied or exchanged is not shown', async () => {
    const { alice } = stage;
    const ids: string[] = [];
    for (const name of ['ours', 'other']) {
      const { container_ref } = (await alice.client.post('/v1/containers', { type: 'generic', name })).json;
      ids.push(String(container_ref).slice(-36));
      const added = await alice.client.post(`${container_ref}/consumers`, { name, URL: 'x://y' });
      expect(added.status).toBe(200);
    }
    await keepAlso(db, 'containers');
    await keepAlso(db, 'container_consumers');
    const text = 'SELECT id FROM container_consumers ORDER BY name DESC';
    const [ours, other] = (await db.query<{ id: string }>({ text })).rows.map(({ id }) => id);
    const attacks = await columnAttacks(db, 'container_consumers', ours ?? '', [other ?? '']);
    expect(attacks.length).toBeGreaterThan(tamperableColumns('container_consumers').size);
    for (const { name, statements } of attacks) {
      await attack(db, statements);
      const reply = await alice.client.get(`/v1/containers/${ids[0]}`);
      expect([name, reply.status, reply.json.consumers]).toEqual([name, 200, []]);
      await restore(db, ['container_consumers']);
    }
  });

  it('keeps no ACL of a container that was changed', async () => {
    const { alice, bob } = stage;
    const { container_ref } = (await alice.client.post('/v1/containers', { type: 'generic' })).json;
    await alice.client.put(`${container_ref}/acl`, { read: { 'project-access': false } });
    const id = String(container_ref).slice(-36);
    await attack(db, [`UPDATE containers SET acl = NULL WHERE id = '${id}'`]);
    for (const { client } of [alice, bob]) {
      const reply = await client.get(`/v1/containers/${id}`);
      expect([reply.status, reply.json.title]).toEqual([500, 'Integrity Violation']);
    }
  });
});

describe('an ACL', () => {
  it('whose index a database changed gives nobody anything', async () => {
    const { bob, first, second } = stage;
    const listed = async (): Promise<unknown> =>
      (await bob.client.get('/v1/secrets?acl_only=true')).json.secrets;
    for (const id of [first.id, second.id]) {
      await attack(db, [`UPDATE secrets SET acl_users = '{${bob.userId}}' WHERE id = '${id}'`]);
    }
    expect(await listed()).toEqual([]);
    expect((await bob.client.get(`/v1/secrets/${first.id}`)).status).toBe(403);
    await restore(db, ['secrets']);
  });

  it('taken away, or put in from another row, is refused with its secret', async () => {
    const { alice, bob, carol } = stage;
    const secrets: string[] = [];
    for (const read of [{ 'project-access': false }, { users: [bob.userId], 'project-access': false }]) {
      const { json } = await alice.client.post('/v1/secrets', {});
      secrets.push(String(json.secret_ref).slice(-36));
      expect((await alice.client.put(`${json.secret_ref}/acl`, { read })).status).toBe(200);
    }
    const [hidden, shared] = secrets;
    const take = `(SELECT acl FROM secrets WHERE id = '${shared}')`;
    for (const value of ['NULL', take]) {
      await attack(db, [`UPDATE secrets SET acl = ${value} WHERE id = '${hidden}'`]);
      for (const { client } of [alice, bob, carol]) {
        const reply = await client.get(`/v1/secrets/${hidden}`);
        expect([reply.status, reply.json.title]).toEqual([500, 'Integrity Violation']);
      }
      const reply = await alice.client.get(`/v1/secrets/${hidden}/acl`);
      expect(reply.status).toBe(500);
    }
  });
});
