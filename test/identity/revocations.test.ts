import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Db } from '../../src/db/open.ts';
import { insertRow, sealRow } from '../../src/db/sealed.ts';
import { openRevocations } from '../../src/identity/revocations.ts';
import type { Keyring } from '../../src/keyring/keyring.ts';
import { createTestDatabase, type TestDatabase } from '../db/test-database.ts';
import { createBootstrappedKeyring } from '../keyring/test-keyring.ts';

let database: TestDatabase;
let keyring: Keyring;
beforeAll(async () => {
  database = await createTestDatabase();
  keyring = await createBootstrappedKeyring(database.db);
});
afterAll(async () => {
  keyring.close();
  await database.drop();
});
beforeEach(async () => {
  await database.db.query({ text: 'DELETE FROM revoked_tokens' });
});

const hours = (count: number): Date => new Date(Date.now() + count * 3_600_000);

async function revoke({ created = new Date(), expires = hours(1) } = {}): Promise<string> {
  const id = randomUUID();
  const row = await sealRow(keyring, 'revoked_tokens', {
    id,
    user_id: 'someone',
    expires,
    created,
    updated: created,
    revision: 1n,
    epoch: 1n,
  });
  await insertRow(database.db, 'revoked_tokens', row);
  return id;
}

/** The real database, which counts the rows of revoked tokens that it gives. */
function countRows(): { db: Db; readings: number[] } {
  const readings: number[] = [];
  const query: Db['query'] = async (statement) => {
    const answer = await database.db.query<never>(statement);
    if (statement.name === 'revoked-tokens') readings.push(answer.rows.length);
    return answer;
  };
  return { db: { ...database.db, query }, readings };
}

const clock = { now: () => new Date() };
const HOUR_AGO = { created: hours(-1) };

it('reads what is new, not all there is, when it looks again', async () => {
  const known = await Promise.all(Array.from({ length: 20 }, async () => await revoke(HOUR_AGO)));
  const { db, readings } = countRows();
  const revocations = await openRevocations({ db, keyring, clock });
  const added = await revoke();
  await revocations.refresh();
  expect(readings).toEqual([20, 1]);
  for (const id of [...known, added]) expect(revocations.isRevoked(id)).toBe(true);
  expect(revocations.isRevoked(randomUUID())).toBe(false);
});

it('sees what a server with a clock two minutes behind revoked', async () => {
  const revocations = await openRevocations({ db: database.db, keyring, clock });
  const late = await revoke({ created: new Date(Date.now() - 120_000) });
  await revocations.refresh();
  expect(revocations.isRevoked(late)).toBe(true);
});

it('shares one more reading among all who ask during one', async () => {
  const { db, readings } = countRows();
  const revocations = await openRevocations({ db, keyring, clock });
  const first = revocations.refresh();
  const id = await revoke();
  await Promise.all([first, ...Array.from({ length: 50 }, async () => await revocations.refresh())]);
  expect(readings.length).toBeLessThanOrEqual(4);
  expect(revocations.isRevoked(id)).toBe(true);
});

it('keeps no row of a token that ended two days before', async () => {
  await revoke({ created: hours(-50), expires: hours(-49) });
  const kept = await revoke({ created: hours(-48), expires: hours(-47) });
  await openRevocations({ db: database.db, keyring, clock });
  const { rows } = await database.db.query({ text: 'SELECT id FROM revoked_tokens' });
  expect(rows).toEqual([{ id: kept }]);
});

it('goes on after a reading that failed', async () => {
  let fails = false;
  const query: Db['query'] = async (statement) => {
    if (fails) throw new Error('away');
    return await database.db.query(statement);
  };
  const revocations = await openRevocations({ db: { ...database.db, query }, keyring, clock });
  fails = true;
  const outcomes = await Promise.allSettled([revocations.refresh(), revocations.refresh()]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  fails = false;
  const id = await revoke();
  await revocations.refresh();
  expect(revocations.isRevoked(id)).toBe(true);
});
