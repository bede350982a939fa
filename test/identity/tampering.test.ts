import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { getProject, getRole } from '../../src/identity/administration.ts';
import { assignRole } from '../../src/identity/assignments.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { within } from '../harness/within.ts';
import { forge, headerOf, makeKey } from './signing.ts';

const TOKENS = '/identity/v3/auth/tokens';
let coffer: StartedCoffer;
let victim: Person;
let bystander: Person;

beforeAll(async () => {
  coffer = await startCoffer();
  bystander = await coffer.person(['creator'], 'demo');
});
afterAll(async () => await coffer.stop());
beforeEach(async () => {
  victim = await coffer.person(['creator'], 'demo');
});

/** Works as a DBA does, and has the server look soon. */
async function tamper(text: string, values: unknown[] = []): Promise<void> {
  const { db } = coffer.installation;
  const { rowCount } = await db.query({ text, values });
  expect(rowCount).toBeGreaterThan(0);
  await db.query({ text: 'NOTIFY coffer_identity' });
}

/** Once the server has looked. */
const expectList = async ({ client }: Person, status: number): Promise<void> =>
  await within(5_900, async () => expect((await client.get('/v1/secrets')).status).toBe(status));

const row = async (table: string, where: string, value: unknown): Promise<Record<string, unknown>> => {
  const { rows } = await coffer.installation.db.query({
    text: `SELECT * FROM ${table} WHERE ${where} = $1`,
    values: [value],
  });
  expect(rows).toHaveLength(1);
  return rows[0] ?? {};
};

async function insert(table: string, columns: Record<string, unknown>): Promise<void> {
  const names = Object.keys(columns);
  const places = names.map((_, index) => `$${index + 1}`);
  await tamper(`INSERT INTO ${table} (${names.join()}) VALUES (${places.join()})`, Object.values(columns));
}

const parts = () => ({ ...coffer.installation, clock: { now: () => new Date() } });

async function expectUnharmed(): Promise<void> {
  const { name, password, client } = bystander;
  expect((await client.get('/v1/secrets')).status).toBe(200);
  await coffer.logIn(name, password, 'demo');
}

async function expectViolation(): Promise<void> {
  await expectList(victim, 500);
  expect((await victim.client.get('/v1/secrets')).json.title).toBe('Integrity Violation');
  const asked = await logInVictim();
  expect([asked.status, asked.json.error.title]).toEqual([500, 'Integrity Violation']);
  expect(asked.headers).not.toHaveProperty('x-subject-token');
  await expectUnharmed();
}

async function logInVictim(password = victim.password) {
  const domain = { name: 'Default' };
  const user = { name: victim.name, password, domain };
  const identity = { methods: ['password'], password: { user } };
  const scope = { project: { name: 'demo', domain } };
  return await coffer.stranger.post(TOKENS, { auth: { identity, scope } });
}

describe('whoever holds the database', () => {
  it('cannot enable a user who was disabled, nor disable one', async () => {
    await tamper('UPDATE users SET enabled = NOT enabled WHERE id = $1', [victim.userId]);
    await expectViolation();
  });

  it('cannot log in with a password of its own', async () => {
    const { password_hash: own } = await row('users', 'id', bystander.userId);
    await tamper('UPDATE users SET password_hash = $2 WHERE id = $1', [victim.userId, own]);
    expect((await logInVictim(bystander.password)).status).toBe(500);
  });

  it('cannot drop an assignment and leave the others', async () => {
    const many = await coffer.person(['creator', 'audit', 'observer'], 'demo');
    await tamper(
      `DELETE FROM role_assignments WHERE user_id = $1 AND role_id =
      (SELECT id FROM roles WHERE name = 'audit')`,
      [many.userId],
    );
    await expectList(many, 500);
    await expectUnharmed();
  });

  it('cannot put back an assignment with the user row of before, where the newer one was seen', async () => {
    const before = await row('users', 'id', victim.userId);
    const assignments = parts();
    const project = await getProject(assignments, 'demo');
    await assignRole(assignments, { id: victim.userId }, project, await getRole(assignments, 'audit'));
    // A log-in reads what there is now.
    expect((await logInVictim()).status).toBe(201);
    await tamper(
      `DELETE FROM role_assignments WHERE user_id = $1 AND role_id =
      (SELECT id FROM roles WHERE name = 'audit')`,
      [victim.userId],
    );
    await tamper(
      'UPDATE users SET assignments_digest = $2, updated = $3, revision = $4, seal = $5 WHERE id = $1',
      [victim.userId, before.assignments_digest, before.updated, before.revision, before.seal],
    );
    await expectViolation();
  });

  it('cannot rename a role into a greater one', async () => {
    const lone = await coffer.person(['observer'], 'demo');
    const text = `UPDATE roles SET name = 'admin2', name_key = 'admin2' WHERE name = $1`;
    await tamper(text, ['observer']);
    await expectList(lone, 500);
    await expectUnharmed();
    await tamper(`UPDATE roles SET name = 'observer', name_key = 'observer' WHERE name = $1`, ['admin2']);
    await expectList(lone, 200);
  });

  it('cannot lift a revocation from a server that saw it', async () => {
    const { client, token } = victim;
    expect((await client.delete(TOKENS, { headers: { 'x-subject-token': token } })).status).toBe(204);
    await tamper('DELETE FROM revoked_tokens WHERE user_id = $1', [victim.userId]);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect((await client.get('/v1/secrets')).status).toBe(401);
  });

  it('cannot forge a signing key, and a forged one does no harm', async () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const { rows } = await coffer.installation.db.query({ text: 'SELECT * FROM signing_keys LIMIT 1' });
    const own = await makeKey(randomUUID());
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    await insert('signing_keys', { ...rows[0], id: own.id, public_key: spki });
    const claims = JSON.parse(Buffer.from(victim.token.split('.')[1] ?? '', 'base64url').toString());
    const token = forge(own, headerOf(own), claims);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const reply = await coffer.stranger.get('/v1/secrets', { headers: { 'x-auth-token': token } });
    expect(reply.status).toBe(401);
    const { keys } = (await coffer.stranger.get('/identity/jwks')).json;
    expect(keys.map(({ kid }: { kid: string }) => kid)).not.toContain(own.id);
    await expectUnharmed();
    const second = await startCoffer({ beside: coffer });
    try {
      expect((await second.stranger.get('/identity/jwks')).json.keys).toEqual(keys);
    } finally {
      await second.stop();
    }
  });

  it('cannot open a way in by the count of failures', async () => {
    const source = '127.0.0.1';
    await insert('password_failures', {
      user_id: victim.userId,
      source,
      failures: -5,
      last_failure: new Date(),
    });
    expect((await logInVictim('wrong')).status).toBe(401);
    await tamper(`UPDATE password_failures SET failures = 1000000 WHERE user_id = $1`, [victim.userId]);
    expect((await logInVictim()).status).toBe(401);
    expect((await victim.client.get('/v1/secrets')).status).toBe(200);
    await tamper('DELETE FROM password_failures WHERE user_id = $1', [victim.userId]);
    expect((await logInVictim()).status).toBe(201);
  });
});

it('grants a role to a user who works meanwhile, without a false alarm', async () => {
  const identity = parts();
  const project = await getProject(identity, 'demo');
  const statuses = new Set<number>();
  const work = async (): Promise<void> => {
    for (let round = 0; round < 60; round += 1) {
      await coffer.installation.db.query({ text: 'NOTIFY coffer_identity' });
      statuses.add((await victim.client.get('/v1/secrets')).status);
    }
  };
  const grant = async (): Promise<void> => {
    for (const name of ['admin', 'manager', 'member', 'reader', 'observer', 'audit']) {
      await assignRole(identity, { id: victim.userId }, project, await getRole(identity, name));
    }
  };
  await Promise.all([work(), grant()]);
  expect([...statuses]).toEqual([200]);
});

it('gives all roles of two who grant at once', async () => {
  const identity = parts();
  const project = await getProject(identity, 'demo');
  const roles = ['member', 'reader', 'observer', 'audit'];
  await Promise.all(
    roles.map(async (name) => {
      await assignRole(identity, { id: victim.userId }, project, await getRole(identity, name));
    }),
  );
  const reply = await logInVictim();
  const names = reply.json.token.roles.map(({ name }: { name: string }) => name);
  expect(names.sort()).toEqual(['audit', 'creator', 'member', 'observer', 'reader']);
});
