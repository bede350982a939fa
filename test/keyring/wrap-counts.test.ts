import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CryptoBackend } from '../../src/keyring/backend.ts';
import type { Keyring } from '../../src/keyring/keyring.ts';
import { type CountedKey, WRAP_LIMITS, WrapCounts } from '../../src/keyring/wrap-counts.ts';
import { createTestDatabase, type TestDatabase } from '../db/test-database.ts';
import { createBootstrappedKeyring, createTestKeyring, insertProject } from './test-keyring.ts';

const LIMITS = { rotateAt: 40n, refuseAt: 100n, firstBlock: 4n, blockMax: 16n };

let database: TestDatabase;
let queries: number;

beforeAll(async () => {
  database = await createTestDatabase();
  const { db } = database;
  const query = db.query.bind(db);
  db.query = async (statement) => {
    if (statement.name?.startsWith('reserve-wraps') === true) queries += 1;
    return await query(statement);
  };
});
beforeEach(() => {
  queries = 0;
});
afterAll(async () => await database.drop());

const masterKey = (): CountedKey => ({
  kind: 'master-key',
  store: 'hsm',
  id: `mk-${randomUUID()}`,
  projectId: null,
});

async function readCount({ id }: { id: string }): Promise<number | undefined> {
  const { rows } = await database.db.query<{ wraps: bigint }>({
    text: 'SELECT wraps FROM wrap_counts WHERE key_id = $1',
    values: [id],
  });
  return rows[0] && Number(rows[0].wraps);
}

async function takeMany(counts: WrapCounts, key: CountedKey, times: number): Promise<number> {
  const taken = await Promise.allSettled(Array.from({ length: times }, async () => await counts.take(key)));
  return taken.filter(({ status }) => status === 'fulfilled').length;
}

describe('the count of what a key encrypts', () => {
  it('is reserved in blocks that grow, so that a wrap hardly ever asks the database', async () => {
    const key = masterKey();
    const counts = new WrapCounts(database.db);
    for (let n = 0; n < 10_000; n += 1) await counts.take(key);
    expect(queries).toBe(6);
    expect(await readCount(key)).toBe(256 * (1 + 2 + 4 + 8 + 16 + 32));
    expect(WRAP_LIMITS).toMatchObject({ rotateAt: 1_073_741_824n, refuseAt: 4_294_967_296n });
  });

  it('refuses at the limit, of all servers together, and with many at once', async () => {
    const key = masterKey();
    const [one, two] = [new WrapCounts(database.db, LIMITS), new WrapCounts(database.db, LIMITS)];
    const [first, second] = await Promise.all([takeMany(one, key, 100), takeMany(two, key, 100)]);
    expect(first + second).toBeLessThanOrEqual(100);
    expect(first + second).toBeGreaterThan(100 - 2 * 16);
    expect(await readCount(key)).toBeLessThanOrEqual(100);
    await expect(one.take(key)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('refuses also where the database says that it is as high as a number can be', async () => {
    const key = masterKey();
    const counts = new WrapCounts(database.db, LIMITS);
    expect(await takeMany(counts, key, 4)).toBe(4);
    await database.db.query({
      text: 'UPDATE wrap_counts SET wraps = 9223372036854775807 WHERE key_id = $1',
      values: [key.id],
    });
    await expect(counts.take(key)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('does not go back with the database, on a server that has seen it higher', async () => {
    const key = masterKey();
    const counts = new WrapCounts(database.db, LIMITS);
    expect(await takeMany(counts, key, 60)).toBe(60);
    await database.db.query({ text: 'DELETE FROM wrap_counts WHERE key_id = $1', values: [key.id] });
    expect(await takeMany(counts, key, 100)).toBeLessThanOrEqual(40);
    expect(await readCount(key)).toBeGreaterThan(60);
  });

  it('is not begun for a KEK that has no row, so that none outlives its key', async () => {
    const key = { kind: 'kek', store: 'hsm', id: randomUUID(), projectId: 'gone' } as const;
    const counts = new WrapCounts(database.db, LIMITS);
    await expect(counts.take(key)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await readCount(key)).toBeUndefined();
  });
});

describe('a keyring over a store that counts', () => {
  const counted = (backend: CryptoBackend): CryptoBackend => ({
    ...backend,
    counted: { masterKeys: true, keks: true },
  });
  let keyring: Keyring;

  beforeAll(async () => {
    keyring = await createBootstrappedKeyring(database.db, { wrapBackend: counted, wrapLimits: LIMITS });
    await insertProject(database.db, keyring, 'counted');
  });
  afterAll(() => keyring.close());

  it('counts DEKs under their KEK and KEKs under their master key, and reads go on past the limit', async () => {
    const project = await keyring.useProject('counted');
    const payload = Buffer.from('kept');
    const seal = async () => await keyring.seal('secret', project, randomUUID(), payload);
    const owner = randomUUID();
    const kept = await keyring.seal('secret', project, owner, payload);
    const sealed = await Promise.allSettled(Array.from({ length: 120 }, seal));
    expect(sealed.filter(({ status }) => status === 'fulfilled').length).toBeLessThan(100);
    await expect(seal()).rejects.toMatchObject({ code: 'unavailable' });
    expect(Buffer.from(await keyring.open('secret', 'counted', owner, kept))).toEqual(payload);
    expect(await readCount({ id: 'mk-1' })).toBe(4);
  });

  it('counts nothing for a store of files', async () => {
    const files = createTestKeyring(database.db);
    const project = await files.useProject('counted');
    await files.seal('secret', project, randomUUID(), Buffer.from('more'));
    expect(queries).toBe(0);
    files.close();
  });
});
