import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encodeFields, list, uuid } from '../../src/crypto/encoding.ts';
import type { Db } from '../../src/db/open.ts';
import type { SealedTable } from '../../src/db/schema.ts';
import { updateRow } from '../../src/db/sealed.ts';
import { findUser } from '../../src/identity/queries.ts';
import type { Reply } from './raw-http.ts';
import { attack, columnAttacks, copyRow, exchange, restore, tamperableColumns } from './tamper-sql.ts';
import {
  type Stage,
  expectPayload,
  expectRefusal,
  readPayload,
  readyForAttacks,
  setStage,
} from './tamper-stage.ts';

const NOTIFY = 'NOTIFY coffer_identity';
/** Rights may be held for five seconds; a NOTIFY only makes it sooner. */
const patience = { timeout: 8_000, interval: 15 };

let stage: Stage;
let db: Db;
const counts: Record<string, number> = {};
const count = (what: string): void => {
  counts[what] = (counts[what] ?? 0) + 1;
};

beforeAll(async () => {
  stage = await setStage();
  ({ db } = stage.coffer.installation);
  await readyForAttacks(stage);
});
afterEach(async () => await undo());
afterAll(async () => {
  const cases = Object.values(counts).reduce((sum, each) => sum + each, 0);
  console.log(`tampering with rights: ${cases} cases ${JSON.stringify(counts)}`);
  await stage.coffer.stop();
});

async function undo(): Promise<void> {
  await restore(db);
  await attack(db, [NOTIFY]);
}

async function idOf(text: string, ...values: unknown[]): Promise<string> {
  const { rows } = await db.query<{ id: string }>({ text, values });
  return rows[0]?.id ?? '';
}

const logInReply = async (name: string, password: string, project: string): Promise<Reply> =>
  await stage.coffer.stranger.post('/identity/v3/auth/tokens', {
    auth: {
      identity: {
        methods: ['password'],
        password: { user: { name, password, domain: { name: 'Default' } } },
      },
      scope: { project: { name: project, domain: { name: 'Default' } } },
    },
  });

/**
 * Alice has no rights any more, with the token that she has or a new one; nobody else has hers, or lost
 * theirs.
 */
async function expectLockedOut(): Promise<void> {
  const { alice, bob, carol, first, foreign } = stage;
  await expect.poll(async () => (await readPayload(alice, first.id)).status, patience).not.toBe(200);
  expectRefusal(await readPayload(alice, first.id), 401, 403);
  expectRefusal(await alice.client.get('/v1/secrets'), 401, 403);
  for (const person of [bob, carol]) expectRefusal(await readPayload(person, first.id), 401, 403);
  await expectPayload(bob, foreign);
}

async function expectBack(): Promise<void> {
  await undo();
  const { alice, first } = stage;
  await expect.poll(async () => (await readPayload(alice, first.id)).status, patience).toBe(200);
}

async function expectEachLocksOut(table: SealedTable, victim: string, others: string[]): Promise<void> {
  const attacks = await columnAttacks(db, table, victim, others);
  expect(attacks.length).toBeGreaterThanOrEqual(tamperableColumns(table).size);
  for (const { name, statements } of attacks) {
    count(table);
    try {
      await attack(db, [...statements, NOTIFY]);
      await expectAliceOnly(name, statements);
      await expectBack();
    } catch (error) {
      throw new Error(`${table}: ${name}: ${(error as Error).message}`, { cause: error });
    }
  }
}

/** Exchanged rows are two victims: then only what nobody may gain is looked at for the other one. */
async function expectAliceOnly(name: string, statements: readonly string[]): Promise<void> {
  if (!name.includes('exchanged')) {
    await expectLockedOut();
    return;
  }
  const { alice, bob, carol, first, foreign } = stage;
  expect(statements.length).toBeGreaterThan(0);
  await expect.poll(async () => (await readPayload(alice, first.id)).status, patience).not.toBe(200);
  for (const person of [alice, bob, carol]) expectRefusal(await readPayload(person, first.id), 401, 403);
  for (const person of [alice, carol]) expectRefusal(await readPayload(person, foreign.id), 401, 403);
}

describe('rights', { timeout: 240_000 }, () => {
  it('are as they were, before', async () => {
    await expectPayload(stage.alice, stage.first);
    await expectPayload(stage.bob, stage.foreign);
    expect((await readPayload(stage.bob, stage.first.id)).status).toBe(403);
    expect((await readPayload(stage.carol, stage.first.id)).status).toBe(403);
  });

  it('of a user whose row changed in any column are gone', async () => {
    await expectEachLocksOut('users', stage.alice.userId, [stage.bob.userId]);
  });

  it('in a project whose row changed in any column are gone', async () => {
    await expectEachLocksOut('projects', stage.alice.projectId, [stage.bob.projectId]);
  });

  it('from a role whose row changed in any column are gone', async () => {
    const creator = await idOf(`SELECT id FROM roles WHERE name = 'creator'`);
    const observer = await idOf(`SELECT id FROM roles WHERE name = 'observer'`);
    await expectEachLocksOut('roles', creator, [observer]);
  });

  it('from an assignment whose row changed in any column are gone', async () => {
    const mine = await idOf('SELECT id FROM role_assignments WHERE user_id = $1', stage.alice.userId);
    const theirs = await idOf('SELECT id FROM role_assignments WHERE user_id = $1', stage.bob.userId);
    await expectEachLocksOut('role_assignments', mine, [theirs]);
  });

  it('do not grow when a row that they rest on is deleted', async () => {
    const { alice } = stage;
    for (const statement of [
      `DELETE FROM users WHERE id = '${alice.userId}'`,
      `DELETE FROM projects WHERE id = '${alice.projectId}'`,
      `DELETE FROM role_assignments WHERE user_id = '${alice.userId}'`,
      `DELETE FROM roles WHERE name = 'creator'`,
    ]) {
      count('deleted');
      await attack(db, [statement, NOTIFY]);
      await expectLockedOut();
      await expectBack();
    }
  });

  it('do not come back when a restricting row is made to look like none', async () => {
    // Carol's only role lets her read no payload: without her assignment she may do even less.
    count('deleted');
    const { carol, first } = stage;
    await attack(db, [`DELETE FROM role_assignments WHERE user_id = '${carol.userId}'`, NOTIFY]);
    await expect.poll(async () => (await carol.client.get('/v1/secrets')).status, patience).not.toBe(200);
    expectRefusal(await readPayload(carol, first.id), 401, 403);
  });

  it('are not granted by an assignment that the server did not write', async () => {
    const { alice, bob, carol, first } = stage;
    const admin = await idOf(`SELECT id FROM roles WHERE name = 'admin'`);
    const hers = await idOf('SELECT id FROM role_assignments WHERE user_id = $1', carol.userId);
    const mine = await idOf('SELECT id FROM role_assignments WHERE user_id = $1', alice.userId);
    const his = await idOf('SELECT id FROM role_assignments WHERE user_id = $1', bob.userId);
    const columns = [...tamperableColumns('role_assignments').keys()];
    const carols = `'${carol.userId}'`;
    const digest = (...ids: string[]): string =>
      createHash('sha256')
        .update(encodeFields([list(ids.toSorted().map((id) => uuid(id)))]))
        .digest('hex');
    for (const statements of [
      [`UPDATE role_assignments SET role_id = '${admin}' WHERE id = '${hers}'`],
      [`UPDATE role_assignments SET user_id = ${carols} WHERE id = '${mine}'`],
      [
        `UPDATE role_assignments SET user_id = ${carols}, scope_id = '${alice.projectId}' WHERE id = '${his}'`,
      ],
      [copyRow('role_assignments', mine, { user_id: carols })],
      [copyRow('role_assignments', hers, { id: 'gen_random_uuid()', role_id: `'${admin}'` })],
      [exchange('role_assignments', ['role_id', 'seal'], hers, mine)],
      [
        exchange(
          'role_assignments',
          columns.filter((name) => name !== 'id'),
          hers,
          mine,
        ),
      ],
      [exchange('role_assignments', ['user_id'], hers, mine)],
      // With the digest in her own row set right, too.
      [
        copyRow('role_assignments', hers, {
          id: `'11111111-2222-4333-8444-555555555555'`,
          role_id: `'${admin}'`,
        }),
        `UPDATE users SET assignments_digest = '\\x${digest(hers, '11111111-2222-4333-8444-555555555555')}' WHERE id = ${carols}`,
      ],
      // What "audit" is called.
      [`UPDATE roles SET name = 'admin', name_key = 'admin' WHERE name = 'audit'`],
      [
        `UPDATE roles SET id = (SELECT id FROM kept.roles WHERE name = 'audit') WHERE name = 'admin'`,
        `DELETE FROM roles WHERE name = 'audit'`,
      ],
      // Another person's row under her id: his password, his roles.
      [`DELETE FROM users WHERE id = ${carols}`, copyRow('users', alice.userId, { id: carols })],
      [`UPDATE role_assignments SET scope_id = '${bob.projectId}' WHERE id = '${hers}'`],
    ]) {
      count('granted');
      await attack(db, [...statements, NOTIFY]);
      await expect.poll(async () => (await carol.client.get('/v1/secrets')).status, patience).not.toBe(200);
      expectRefusal(await readPayload(carol, first.id), 401, 403);
      expectRefusal(await readPayload(carol, stage.foreign.id), 401, 403);
      expectRefusal(await carol.client.post('/v1/secrets', { name: 'x' }), 401, 403);
      const again = await logInReply(carol.name, carol.password, 'alpha');
      expect([401, 500]).toContain(again.status);
      await undo();
      await expect.poll(async () => (await readPayload(carol, first.id)).status, patience).toBe(403);
    }
  });

  it('are not had by a password that the server did not set', async () => {
    const { alice, carol } = stage;
    const theft = `UPDATE users SET password_hash = (SELECT password_hash FROM kept.users WHERE id = '${carol.userId}')
      WHERE id = '${alice.userId}'`;
    count('granted');
    await attack(db, [theft, NOTIFY]);
    for (const password of [carol.password, alice.password]) {
      expectRefusal(await logInReply(alice.name, password, 'alpha'), 401);
    }
    // Her name on the other's row.
    await undo();
    count('granted');
    await attack(db, [
      `DELETE FROM users WHERE id = '${alice.userId}'`,
      `UPDATE users SET name_key = '${alice.name.toLowerCase()}' WHERE id = '${carol.userId}'`,
      NOTIFY,
    ]);
    expectRefusal(await logInReply(alice.name, carol.password, 'alpha'), 401);
  });

  it('behind views that answer another’s genuine rows are refused', async () => {
    const { alice, bob, carol, first } = stage;
    const rename = (table: SealedTable): string => `ALTER TABLE ${table} RENAME TO hidden`;
    const view = (table: SealedTable, changed: Record<string, string>, where: string): string => {
      const names = [...tamperableColumns(table).keys()];
      const selected = names.map((name) =>
        changed[name] === undefined ? `h.${name}` : `${changed[name]} AS ${name}`,
      );
      return `CREATE VIEW ${table} AS SELECT ${selected.join(', ')} FROM hidden h, kept.${table} k WHERE ${where}`;
    };
    const C = 'COLLATE "C"';
    for (const [table, statement] of [
      ['users', view('users', { id: 'k.id' }, `h.id = '${bob.userId}' AND k.id <> '${bob.userId}'`)],
      [
        'role_assignments',
        view('role_assignments', { user_id: `'${carol.userId}'::text ${C}` }, 'h.id = k.id'),
      ],
      ['role_assignments', view('role_assignments', { user_id: 'k.user_id' }, 'h.id <> k.id')],
      [
        'projects',
        view('projects', { id: 'k.id' }, `h.id = '${bob.projectId}' AND k.id NOT IN ('system', h.id)`),
      ],
      ['roles', view('roles', { id: 'k.id' }, `h.name = 'admin'`)],
    ] as const) {
      count('view');
      await attack(db, [rename(table), statement, NOTIFY]);
      try {
        await expect.poll(async () => (await carol.client.get('/v1/secrets')).status, patience).not.toBe(200);
        for (const person of [alice, carol])
          expectRefusal(await readPayload(person, stage.foreign.id), 401, 403);
        for (const person of [bob, carol]) expectRefusal(await readPayload(person, first.id), 401, 403);
      } finally {
        await attack(db, [`DROP VIEW ${table}`, `ALTER TABLE hidden RENAME TO ${table}`, NOTIFY]);
      }
      await expect.poll(async () => (await readPayload(carol, first.id)).status, patience).toBe(403);
      await expectBack();
    }
  });

  it('are as they were with a column added to each table', async () => {
    for (const table of ['users', 'projects', 'roles', 'role_assignments', 'keks'] as const) {
      count('column added');
      await attack(db, [`ALTER TABLE ${table} ADD COLUMN is_admin boolean DEFAULT true`, NOTIFY]);
      await expectPayload(stage.alice, stage.first);
      expect((await readPayload(stage.carol, stage.first.id)).status).toBe(403);
      await attack(db, [`ALTER TABLE ${table} DROP COLUMN is_admin`]);
    }
  });
});

describe('an older genuine row put back', () => {
  const take = async (table: SealedTable, where: string): Promise<() => Promise<void>> => {
    const names = [...tamperableColumns(table).keys()].join(', ');
    await attack(db, [`CREATE TABLE kept.older AS SELECT ${names} FROM ${table} WHERE ${where}`]);
    return async () =>
      await attack(db, [
        `DELETE FROM ${table} WHERE ${where}`,
        `INSERT INTO ${table} (${names}) SELECT ${names} FROM kept.older`,
        'DROP TABLE kept.older',
      ]);
  };

  it('of a user and an assignment is refused by a server that saw the newer one', async () => {
    const { coffer } = stage;
    count('older row');
    const dave = await coffer.person(['creator'], 'alpha');
    expect((await dave.client.get('/v1/secrets')).status).toBe(200);
    const putUserBack = await take('users', `id = '${dave.userId}'`);
    const { keyring } = coffer.installation;
    const before = (await findUser(db, dave.userId))!;
    await updateRow(db, keyring, 'users', before, { enabled: false });
    await attack(db, [NOTIFY]);
    await expect.poll(async () => (await dave.client.get('/v1/secrets')).status, patience).toBe(401);
    await putUserBack();
    await attack(db, [NOTIFY]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expectRefusal(await dave.client.get('/v1/secrets'), 401);
    expectRefusal(await logInReply(dave.name, dave.password, 'alpha'), 401);
  });

  it('of a project is refused by a server that saw the newer one', async () => {
    const { coffer } = stage;
    count('older row');
    const erin = await coffer.person(['creator'], 'gamma');
    expect((await erin.client.post('/v1/secrets', { name: 'x' })).status).toBe(201);
    const putBack = await take('projects', `id = '${erin.projectId}'`);
    const { keyring } = coffer.installation;
    keyring.forgetProject();
    const before = (await keyring.findProject(erin.projectId))!;
    await updateRow(db, keyring, 'projects', before, { enabled: false });
    await attack(db, [NOTIFY]);
    await expect.poll(async () => (await erin.client.get('/v1/secrets')).status, patience).toBe(401);
    await putBack();
    await attack(db, [NOTIFY]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expectRefusal(await erin.client.get('/v1/secrets'), 401);
  });
});
