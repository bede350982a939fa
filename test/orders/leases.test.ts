import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { extendLease, giveLeaseBack, takeLease } from '../../src/orders/lease-queries.ts';
import { createTestDatabase, type TestDatabase } from '../db/test-database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
beforeEach(async () => await database.db.query({ text: 'TRUNCATE order_leases, order_turns' }));
afterAll(async () => await database.drop());

/** Leases that are due for so many minutes, the last one longest. */
async function insertLeases(project: string, count: number, lane = 'key'): Promise<void> {
  await database.db.query({
    text: `INSERT INTO order_leases
      SELECT gen_random_uuid(), $1, $3, now() - n * interval '1 minute', 0, 0 FROM generate_series(1, $2::int) n`,
    values: [project, count, lane],
  });
}

async function projectOf({ order_id }: { order_id: string }): Promise<string> {
  const { rows } = await database.db.query<{ project_id: string }>({
    text: 'SELECT project_id FROM order_leases WHERE order_id = $1',
    values: [order_id],
  });
  return rows[0]?.project_id ?? '';
}

async function take(): Promise<string | undefined> {
  const lease = await takeLease(database.db, 'key', 30);
  return lease && (await projectOf(lease));
}

describe('taking a lease', () => {
  it('reads no more of a long queue than of a short one', async () => {
    await insertLeases('busy', 10_000);
    await insertLeases('modest', 1);
    await database.db.query({ text: 'ANALYZE order_leases' });
    const read = await database.db.transaction(async (tx) => {
      expect(await takeLease(tx, 'key', 30)).toBeDefined();
      const { rows } = await tx.query<{ read: bigint }>({
        text: `SELECT seq_tup_read + idx_tup_fetch AS read
          FROM pg_stat_xact_user_tables WHERE relname = 'order_leases'`,
      });
      return Number(rows[0]?.read);
    });
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(20);
  });

  it('goes from project to project, first to those without a turn so far, and there to what waits longest', async () => {
    await insertLeases('a', 3);
    await insertLeases('b', 1);
    await insertLeases('c', 2);
    await insertLeases('d', 4, 'asymmetric');
    const turns: (string | undefined)[] = [];
    for (let turn = 0; turn < 7; turn += 1) turns.push(await take());
    expect(turns).toEqual(['a', 'c', 'b', 'a', 'c', 'a', undefined]);
    await insertLeases('e', 1);
    await insertLeases('b', 9);
    expect([await take(), await take()]).toEqual(['e', 'b']);
  });

  it('passes projects with nothing due, and orders that another worker takes at that moment', async () => {
    await insertLeases('a', 2);
    await database.db.query({ text: `UPDATE order_leases SET due = due + interval '1 hour'` });
    await insertLeases('b', 2);
    await database.db.transaction(async (tx) => {
      const { rows } = await tx.query<{ order_id: string }>({
        text: `SELECT order_id FROM order_leases WHERE due <= now() ORDER BY due LIMIT 1 FOR UPDATE`,
      });
      const lease = await takeLease(database.db, 'key', 30);
      expect(lease && (await projectOf(lease))).toBe('b');
      expect(lease?.order_id).not.toBe(rows[0]?.order_id);
      expect(await take()).toBeUndefined();
    });
    expect([await take(), await take()]).toEqual(['b', undefined]);
  });

  it('gives each order to one of many workers', async () => {
    for (const project of ['a', 'b', 'c']) await insertLeases(project, 20);
    const taken: string[] = [];
    const work = async (): Promise<void> => {
      for (;;) {
        const lease = await takeLease(database.db, 'key', 30);
        if (lease === undefined) return;
        taken.push(lease.order_id);
      }
    };
    await Promise.all(Array.from({ length: 6 }, work));
    // Who comes as another one takes the last of a project may find nothing: what is left is found later.
    await work();
    expect(new Set(taken).size).toBe(60);
    expect(taken).toHaveLength(60);
  });
});

it('is not extended any more once it was given back', async () => {
  await insertLeases('a', 1);
  const lease = await takeLease(database.db, 'key', 30);
  if (lease === undefined) throw new Error('nothing is due');
  expect(await extendLease(database.db, lease, 30)).toBe(true);
  await giveLeaseBack(database.db, lease, { seconds: 3_600, counts: false });
  expect(await extendLease(database.db, lease, 30)).toBe(false);
  const { rows } = await database.db.query({
    text: `SELECT attempts, due > now() + interval '50 minutes' AS rests FROM order_leases`,
  });
  expect(rows).toEqual([{ attempts: 0n, rests: true }]);
});
