import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Db } from '../../src/db/open.ts';
import type { SealedTable } from '../../src/db/schema.ts';
import { createApp, type NewApp } from '../../src/identity/applications/apps.ts';
import { redeem } from '../../src/identity/applications/redemptions.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { logInWith, type MadeCredential, makeCredential } from './applications.ts';
import type { Reply } from './raw-http.ts';
import { attack, columnAttacks, copyRow, prepareAttacks, restore, tamperableColumns } from './tamper-sql.ts';

const NOTIFY = 'NOTIFY coffer_identity';
const rule = { service: 'key-manager', method: 'GET', path: '/v1/secrets' };
let coffer: StartedCoffer;
let db: Db;
let alice: Person;
let bob: Person;
let narrow: MadeCredential;
let wide: MadeCredential;
let codes: { one: string; other: string };

beforeAll(async () => {
  coffer = await startCoffer();
  ({ db } = coffer.installation);
  alice = await coffer.person(['creator'], 'alpha');
  bob = await coffer.person(['admin'], 'beta');
  narrow = await makeCredential(alice, {
    access_rules: [rule],
    expires_at: '2099-01-01T00:00:00Z',
    description: 'hers',
  });
  wide = await makeCredential(bob, { access_rules: [{ ...rule, path: '/**' }], unrestricted: true });
  codes = { one: await codeOf('one', '192.0.2.0/24'), other: await codeOf('other', null) };
  await prepareAttacks(db);
});
afterEach(async () => {
  await restore(db);
  await attack(db, [NOTIFY]);
});
afterAll(async () => await coffer.stop());

const parts = () => ({ ...coffer.installation, clock: { now: () => new Date() } });

async function codeOf(name: string, source: string | null): Promise<string> {
  const wanted: NewApp = {
    name,
    project: 'alpha',
    createProject: false,
    roles: ['observer'],
    rules: null,
    expires: null,
    source,
    printsSecret: false,
  };
  const app = await createApp(parts(), wanted);
  return 'code' in app ? app.code : '';
}

const logIn = async ({ id, secret }: MadeCredential): Promise<Reply> =>
  await logInWith(coffer, { id, secret });

async function use(token: string, path = '/v1/secrets'): Promise<Reply> {
  return await coffer.stranger.get(path, { headers: { 'x-auth-token': token } });
}

async function redeemed(code: string): Promise<string> {
  const origin = { source: '203.0.113.7', requestId: 'req-test' };
  return await redeem(coffer.server.coffer, code, origin).then(
    () => 'redeemed',
    (error: unknown) => String((error as { code?: unknown }).code),
  );
}

async function idsOf(table: SealedTable): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>({
    text: `SELECT id FROM kept.${table} ORDER BY created, id`,
  });
  return rows.map(({ id }) => id);
}

/** Tries each, and names the one that got through. */
async function tryEach(
  table: SealedTable,
  victim: string,
  others: string[],
  expectRefused: () => Promise<void>,
): Promise<void> {
  const attacks = await columnAttacks(db, table, victim, others);
  expect(attacks.length).toBeGreaterThanOrEqual(tamperableColumns(table).size);
  for (const { name, statements } of attacks) {
    try {
      await attack(db, [...statements, NOTIFY]);
      await expectRefused();
    } catch (error) {
      throw new Error(`${table}: ${name}: ${(error as Error).message}`, { cause: error });
    } finally {
      await restore(db, [table]);
    }
  }
}

describe('an application credential', { timeout: 120_000 }, () => {
  it('whose row changed in any column logs nobody in, and its tokens are worth nothing', async () => {
    const token = String((await logIn(narrow)).headers['x-subject-token']);
    expect((await use(token)).status).toBe(200);
    await tryEach('application_credentials', narrow.id, [wide.id], async () => {
      expect([500, 401]).toContain((await logIn(narrow)).status);
      // Rights may be held for five seconds; the NOTIFY only makes it sooner.
      await expect
        .poll(async () => (await use(token)).status, { timeout: 8_000, interval: 15 })
        .not.toBe(200);
    });
    await attack(db, [NOTIFY]);
    await expect.poll(async () => (await use(token)).status, { timeout: 8_000 }).toBe(200);
  });

  it('is given no access rules, roles, owner or project of another one', async () => {
    const others = wide.id;
    for (const columns of [
      ['access_rules'],
      ['roles', 'unrestricted'],
      ['user_id', 'project_id'],
      ['seal'],
    ]) {
      const sets = columns.map((name) => `${name} = o.${name}`).join(', ');
      await attack(db, [
        `UPDATE application_credentials t SET ${sets} FROM kept.application_credentials o
          WHERE t.id = '${narrow.id}' AND o.id = '${others}'`,
        NOTIFY,
      ]);
      expect((await logIn(narrow)).status).toBe(500);
      await restore(db, ['application_credentials']);
    }
  });

  it('is not made out of another one, under a name or an id', async () => {
    const columns = { id: `'${'a'.repeat(32)}'`, name: `'copy'`, name_key: `'copy'` };
    await attack(db, [copyRow('application_credentials', wide.id, columns)]);
    const { secret } = wide;
    for (const credential of [
      { id: 'a'.repeat(32), secret },
      { name: 'copy', secret, user: { id: bob.userId } },
    ]) {
      expect([500, 401]).toContain((await logInWith(coffer, credential)).status);
    }
    const moved = `UPDATE application_credentials SET user_id = '${alice.userId}' WHERE id = '${wide.id}'`;
    await attack(db, [moved]);
    const credential = { name: wide.name, secret, user: { id: alice.userId } };
    expect((await logInWith(coffer, credential)).status).toBe(500);
  });

  it('is not put back to what it was, where the newer one was seen', async () => {
    const given = await makeCredential(alice);
    const { rows } = await db.query({
      text: 'SELECT enabled, updated, revision, seal FROM application_credentials WHERE id = $1',
      values: [given.id],
    });
    const token = String((await logIn(given)).headers['x-subject-token']);
    const { openRow, updateRow } = await import('../../src/db/sealed.ts');
    const { rows: found } = await db.query({
      text: 'SELECT * FROM application_credentials WHERE id = $1',
      values: [given.id],
    });
    const { keyring } = coffer.installation;
    const row = await openRow(keyring, 'application_credentials', { id: given.id }, found[0]);
    await updateRow(db, keyring, 'application_credentials', row, { enabled: false });
    await attack(db, [NOTIFY]);
    expect((await logIn(given)).status).toBe(401);
    const old = rows[0] as Record<string, unknown>;
    await db.query({
      text: 'UPDATE application_credentials SET enabled = $2, updated = $3, revision = $4, seal = $5 WHERE id = $1',
      values: [given.id, old['enabled'], old['updated'], old['revision'], old['seal']],
    });
    expect((await logIn(given)).status).toBe(500);
    expect((await use(token)).status).not.toBe(200);
  });

  it('whose access rules are taken out of their own table is as narrow as before', async () => {
    await attack(db, ['DELETE FROM access_rules', NOTIFY]);
    const token = String((await logIn(narrow)).headers['x-subject-token']);
    expect((await use(token)).status).toBe(200);
    expect((await use(token, '/v1/secrets/x')).status).toBe(403);
  });
});

describe('an access rule', { timeout: 60_000 }, () => {
  it('whose row changed in any column is shown by nobody', async () => {
    const [mine = '', theirs = ''] = [narrow, wide].map(({ access_rules: [given] }) => given?.id ?? '');
    const list = `/identity/v3/users/${alice.userId}/access_rules`;
    const shown = (await alice.client.get(`${list}/${mine}`)).text;
    await tryEach('access_rules', mine, [theirs], async () => {
      const reply = await alice.client.get(`${list}/${mine}`);
      expect([500, 404]).toContain(reply.status);
      const rules = (await alice.client.get(list)).json.access_rules as unknown[];
      expect(rules).toEqual([]);
    });
    expect((await alice.client.get(`${list}/${mine}`)).text).toBe(shown);
  });
});

describe('a redemption', { timeout: 60_000 }, () => {
  it('whose row changed in any column is none', async () => {
    const [first = '', second = ''] = await idsOf('redemptions');
    expect(await redeemed(codes.one)).toBe('not_found');
    await tryEach('redemptions', first, [second], async () => {
      expect(await redeemed(codes.one)).toMatch(/^(?:integrity_violation|not_found)$/);
    });
  });

  it('gives the secret of no other credential', async () => {
    const [, second = ''] = await idsOf('redemptions');
    for (const statement of [
      `UPDATE redemptions SET application_credential_id = '${wide.id}' WHERE id = '${second}'`,
      `UPDATE application_credentials SET secret_hash = NULL WHERE id = '${wide.id}'`,
    ]) {
      await attack(db, [statement]);
      expect(await redeemed(codes.other)).toBe(
        statement.includes('redemptions') ? 'integrity_violation' : 'redeemed',
      );
      await restore(db);
    }
    expect((await logIn(wide)).status).toBe(201);
  });
});
