import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createRevisionMemory } from '../../src/db/revisions.ts';
import { openRow } from '../../src/db/sealed.ts';
import { listGenuineKeys, rotateSigningKey } from '../../src/identity/signing-key-rotation.ts';
import { openSigningKeys } from '../../src/identity/signing-keys.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { within } from '../harness/within.ts';

const TOKENS = '/identity/v3/auth/tokens';
const DAY_MS = 24 * 60 * 60_000;
let one: StartedCoffer;
let two: StartedCoffer;
let person: Person;

beforeAll(async () => {
  one = await startCoffer();
  two = await startCoffer({ beside: one });
  person = await one.person(['creator'], 'demo');
});
afterAll(async () => {
  await two.stop();
  await one.stop();
});

const parts = () => ({ ...one.installation, clock: { now: () => new Date() } });

const keysAt = async (days: number) => {
  const now = () => new Date(Date.now() + days * DAY_MS);
  return await openSigningKeys({ ...one.server.coffer, clock: { now } }, createRevisionMemory());
};

const statusesOf = async (token: string): Promise<number[]> => {
  const asked = { headers: { 'x-auth-token': token } };
  const ask = async (server: StartedCoffer) => (await server.stranger.get('/v1/secrets', asked)).status;
  return await Promise.all([one, two].map(ask));
};

const publishedBy = async (server: StartedCoffer): Promise<string[]> => {
  const { keys } = (await server.stranger.get('/identity/jwks')).json as { keys: { kid: string }[] };
  return keys.map(({ kid }) => kid);
};

const keyOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;

const living = async () => {
  const keys = await listGenuineKeys(one.installation, one.installation.db);
  return keys.filter(({ not_after }) => not_after.getTime() > Date.now());
};

async function rescope(server: StartedCoffer, token: string): Promise<string> {
  const scope = { project: { id: person.projectId } };
  const auth = { identity: { methods: ['token'], token: { id: token } }, scope };
  const reply = await server.stranger.post(TOKENS, { auth });
  expect(reply.status).toBe(201);
  return String(reply.headers['x-subject-token']);
}

describe('signing keys', () => {
  it('are the same on every server, made once', async () => {
    const opened = await Promise.all([0, 0, 1].map(keysAt));
    expect(new Set(opened.map((keys) => keys.current().id)).size).toBe(1);
    expect(await publishedBy(two)).toEqual(await publishedBy(one));
  });

  it('are sealed: no private part is in the database as it is', async () => {
    const { db, keyring } = one.installation;
    const { rows } = await db.query<{ id: string; payload_body: Buffer }>({
      text: 'SELECT * FROM signing_keys',
    });
    for (const row of rows) {
      const opened = await openRow(keyring, 'signing_keys', { id: row.id }, row);
      const der = await keyring.open('signing-key', 'system', row.id, {
        ...opened,
        payload_body: row.payload_body,
      });
      expect(der.length).toBe(48);
      const raw = Buffer.from(der.subarray(16));
      const stored = Object.values(row).filter((value) => Buffer.isBuffer(value));
      expect(stored.length).toBeGreaterThan(4);
      expect(Buffer.concat(stored).includes(raw)).toBe(false);
    }
  });

  it('are trusted no longer once they could not be read for 10 s', async () => {
    const keys = await keysAt(0);
    const { id } = keys.current();
    const later = performance.now() + 10_001;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => later);
    try {
      expect(() => keys.find(id)).toThrow(expect.objectContaining({ code: 'unavailable' }));
      await keys.refresh();
      expect(keys.find(id)?.id).toBe(id);
    } finally {
      clock.mockRestore();
    }
  });
});

describe('a rotation', () => {
  it('refuses no token while a key is published, then used, then retired after it', async () => {
    const old = person.token;
    const made = await rotateSigningKey(parts(), { publishedFirstMs: 2_500, retiredAfterMs: 3_500 });
    const [used, retired] = [2_500, 6_000].map((ms) => (made?.created.getTime() ?? 0) + ms) as [
      number,
      number,
    ];
    const ids: string[] = [];
    const work = async (turn: number): Promise<void> => {
      const fresh = await rescope([one, two][turn % 2] ?? one, old);
      ids.push(keyOf(fresh));
      // On the other server at once: it must know the key already.
      expect(await statusesOf(fresh)).toEqual([200, 200]);
      expect(await statusesOf(old)).toEqual([200, 200]);
      if (Date.now() > used - 500) {
        for (const server of [one, two]) expect(await publishedBy(server)).toContain(made?.id);
      }
    };
    for (let turn = 0; Date.now() < retired - 500; turn += 1) {
      await work(turn).catch((error: unknown) => {
        // What a slow machine begins in time may come to its end too late.
        if (Date.now() < retired) throw error;
      });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect([...new Set(ids)]).toEqual([keyOf(old), made?.id]);
    await within(5_500, async () => expect(await statusesOf(old)).toEqual([401, 401]));
    for (const server of [one, two]) expect(await publishedBy(server)).toEqual([made?.id]);
    const { name, password } = person;
    person = { ...person, token: await one.logIn(name, password, 'demo') };
    expect(await statusesOf(person.token)).toEqual([200, 200]);
  }, 30_000);

  it('at once ends every token on every server within 5 s, though the key is put back', async () => {
    const { db } = one.installation;
    const old = person.token;
    const { rows } = await db.query({
      text: 'SELECT * FROM signing_keys WHERE id = $1',
      values: [keyOf(old)],
    });
    const made = await rotateSigningKey(parts(), { atOnce: true });
    await within(5_000, async () => expect(await statusesOf(old)).toEqual([401, 401]));
    const fresh = await two.logIn(person.name, person.password, 'demo');
    expect(await statusesOf(fresh)).toEqual([200, 200]);
    const anew = await one.logIn(person.name, person.password, 'demo');
    expect([keyOf(anew), await statusesOf(anew)]).toEqual([made?.id, [200, 200]]);
    const [row] = rows;
    await db.query({
      text: 'UPDATE signing_keys SET not_after = $2, updated = $3, revision = $4, seal = $5 WHERE id = $1',
      values: [row?.['id'], row?.['not_after'], row?.['updated'], row?.['revision'], row?.['seal']],
    });
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(await living()).toHaveLength(2);
    expect([await statusesOf(old), await statusesOf(anew)]).toEqual([
      [401, 401],
      [200, 200],
    ]);
    await db.query({ text: 'DELETE FROM signing_keys WHERE id = $1', values: [row?.['id']] });
    person = { ...person, token: anew };
  }, 20_000);

  it('comes by itself before the written end of the youngest key, once', async () => {
    const first = (await keysAt(0)).current();
    expect(first.notAfter.getTime() - Date.now()).toBeLessThanOrEqual(90 * DAY_MS);
    const opened = await Promise.all([61, 61, 61].map(keysAt));
    for (const keys of opened) {
      expect(keys.all()).toHaveLength(2);
      expect(keys.current().id).toBe(first.id);
      // Past the longest life of what it signs until the next one is used.
      const end = keys.find(first.id)?.notAfter.getTime() ?? 0;
      const [, next] = keys.all().toSorted((a, b) => a.notBefore.getTime() - b.notBefore.getTime());
      expect(end - (next?.notBefore.getTime() ?? 0)).toBeGreaterThan(8 * 3_600_000);
    }
    expect(await statusesOf(person.token)).toEqual([200, 200]);
  });

  it('by several at once leaves one key that is used', async () => {
    await Promise.all([one, two, one].map(async () => await rotateSigningKey(parts(), { atOnce: true })));
    expect(await living()).toHaveLength(1);
  });
});
