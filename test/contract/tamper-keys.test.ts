import { generateKeyPairSync, sign } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Db } from '../../src/db/open.ts';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { type Reply, rawClient } from './raw-http.ts';
import { attack, columnAttacks, copyRow, exchange, restore, tamperableColumns } from './tamper-sql.ts';
import {
  type Stage,
  expectPayload,
  expectRefusal,
  PLAINTEXT,
  readPayload,
  readyForAttacks,
  setStage,
} from './tamper-stage.ts';

const NOTIFY = 'NOTIFY coffer_identity';

let stage: Stage;
let db: Db;
let revoked: string;
const counts: Record<string, number> = {};
const count = (what: string): void => {
  counts[what] = (counts[what] ?? 0) + 1;
};

beforeAll(async () => {
  stage = await setStage();
  ({ db } = stage.coffer.installation);
  revoked = await stage.coffer.logIn(stage.alice.name, stage.alice.password, 'alpha');
  const headers = { 'x-subject-token': revoked };
  expect((await stage.alice.client.delete('/identity/v3/auth/tokens', { headers })).status).toBe(204);
  await readyForAttacks(stage);
});
afterEach(async () => await undo());
afterAll(async () => {
  const cases = Object.values(counts).reduce((sum, each) => sum + each, 0);
  console.log(`tampering with keys and tokens: ${cases} cases ${JSON.stringify(counts)}`);
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

describe('tokens', () => {
  const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const forge = (kid: string, key: Parameters<typeof sign>[2], prj: string): string => {
    const payload = JSON.parse(Buffer.from(stage.bob.token.split('.')[1]!, 'base64url').toString()) as object;
    const signed = `${base64url({ alg: 'EdDSA', typ: 'JWT', kid })}.${base64url({ ...payload, prj, jti: crypto.randomUUID() })}`;
    return `${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`;
  };
  const ask = async (token: string, url = stage.coffer.url): Promise<Reply> =>
    await rawClient(url, token).get(`/v1/secrets/${stage.first.id}/payload`, {
      headers: { accept: 'text/plain' },
    });

  it('signed by a key that the server did not write are refused, and its own still serve', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const spki = `'\\x${publicKey.export({ type: 'spki', format: 'der' }).toString('hex')}'`;
    const id = await idOf('SELECT id FROM signing_keys');
    for (const [kid, statements] of [
      ['forged', [copyRow('signing_keys', id, { id: `'forged'`, public_key: spki })]],
      [
        'longer',
        [copyRow('signing_keys', id, { id: `'longer'`, public_key: spki, not_after: `'2199-01-01'` })],
      ],
      [id, [`UPDATE signing_keys SET public_key = ${spki} WHERE id = '${id}'`]],
    ] as const) {
      count('signing_keys');
      await attack(db, [...statements]);
      const token = forge(kid, privateKey, stage.bob.projectId);
      expectRefusal(await ask(token), 401);
      expectRefusal(await rawClient(stage.coffer.url, 'not a token').get('/v1/secrets'), 401);
      await expectPayload(stage.alice, stage.first);
      await withAnother(async (other) => {
        expectRefusal(await ask(token, other.url), 401);
        expect((await ask(token, other.url)).status).toBe(401);
      });
      await undo();
    }
  });

  it('of a signing key whose row changed in any column are refused by every new server, which serves others', {
    timeout: 240_000,
  }, async () => {
    const id = await idOf('SELECT id FROM signing_keys');
    const attacks = await columnAttacks(db, 'signing_keys', id, []);
    for (const { name, statements } of attacks) {
      count('signing_keys');
      await attack(db, statements);
      await expectPayload(stage.alice, stage.first);
      await withAnother(async (other) => {
        const reply = await ask(stage.alice.token, other.url);
        expect([name, reply.status]).toEqual([name, 401]);
        const token = await other.logIn(stage.alice.name, stage.alice.password, 'alpha');
        expect((await ask(token, other.url)).text).toBe(stage.first.payload);
      });
      await undo();
    }
  });

  it('that were revoked stay so here, and a new server does not start on a list that was altered', async () => {
    expect((await ask(revoked)).status).toBe(401);
    const [id] = [await idOf('SELECT id FROM revoked_tokens')];
    for (const { statements } of await columnAttacks(db, 'revoked_tokens', id, [])) {
      count('revoked_tokens');
      await attack(db, [...statements, NOTIFY]);
      expect((await ask(revoked)).status).toBe(401);
      await undo();
    }
    count('revoked_tokens');
    await attack(db, [`UPDATE revoked_tokens SET id = 'another'`]);
    await expect(withAnother(async () => {})).rejects.toMatchObject({ code: 'integrity_violation' });
    await undo();
    count('revoked_tokens');
    await attack(db, ['DELETE FROM revoked_tokens', NOTIFY]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await ask(revoked)).status).toBe(401);
  });
});

describe('KEKs', () => {
  it('whose row changed in any column open nothing, and other projects go on', {
    timeout: 240_000,
  }, async () => {
    const mine = await idOf('SELECT id FROM keks WHERE project_id = $1', stage.alice.projectId);
    const theirs = await idOf('SELECT id FROM keks WHERE project_id = $1', stage.bob.projectId);
    for (const { name, statements } of await columnAttacks(db, 'keks', mine, [theirs])) {
      count('keks');
      await attack(db, statements);
      await withAnother(async (other) => {
        const reply = await readPayload(stage.alice, stage.first.id, other.url);
        // A store that nobody configured is one that is away.
        const away = name.startsWith('store ') ? [503] : [];
        expect([500, ...away], name).toContain(reply.status);
        expectRefusal(reply, ...away);
        if (!name.includes('exchanged')) await expectPayload(stage.bob, stage.foreign, other.url);
        else expect((await readPayload(stage.bob, stage.foreign.id, other.url)).text).not.toMatch(/-first-/);
      });
      await undo();
    }
  });

  it('of the system project that changed in any column let no server start', async () => {
    const system = await idOf(`SELECT id FROM keks WHERE project_id = 'system'`);
    for (const { statements } of await columnAttacks(db, 'keks', system, [])) {
      count('keks');
      await attack(db, statements);
      await expect(withAnother(async () => {})).rejects.toMatchObject({ code: 'configuration' });
      await expectPayload(stage.alice, stage.first);
      await undo();
    }
  });

  it('swapped whole between two projects, or gone, open nothing', async () => {
    const mine = await idOf('SELECT id FROM keks WHERE project_id = $1', stage.alice.projectId);
    const theirs = await idOf('SELECT id FROM keks WHERE project_id = $1', stage.bob.projectId);
    const columns = [...tamperableColumns('keks').keys()].filter((name) => name !== 'id');
    for (const statements of [
      [exchange('keks', ['project_id'], mine, theirs)],
      [exchange('keks', ['wrapped_kek', 'wrapped_integrity_key', 'seal'], mine, theirs)],
      [exchange('keks', columns, mine, theirs)],
      [`DELETE FROM keks WHERE id IN ('${mine}', '${theirs}')`],
    ]) {
      count('keks');
      await attack(db, statements);
      await withAnother(async (other) => {
        expectRefusal(await readPayload(stage.alice, stage.first.id, other.url));
        expectRefusal(await readPayload(stage.bob, stage.foreign.id, other.url));
        const written = await rawClient(other.url, stage.alice.token).post('/v1/secrets', { name: 'x' });
        expect(written.text).not.toMatch(PLAINTEXT);
        expect(written.status).toBe(500);
      });
      await undo();
    }
  });
});

/** A server that holds nothing in memory yet, on the same database. */
async function withAnother(use: (other: StartedCoffer) => Promise<void>): Promise<void> {
  const other = await startCoffer({ beside: stage.coffer });
  try {
    await use(other);
  } finally {
    await other.stop();
  }
}
