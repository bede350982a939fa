import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createExclusive, type Exclusive, type ExclusiveLimits } from '../../src/db/exclusive.ts';
import type { Db } from '../../src/db/open.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';

const busy = { code: 'unavailable', retryAfterSeconds: 2 };

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => await database.drop());

function onDatabase(limits: ExclusiveLimits): Exclusive {
  return createExclusive(async (use) => await database.db.transaction(use), limits);
}

/** Takes the turn of a key until it is told to give it back. */
async function hold(exclusive: Exclusive, key: string): Promise<() => Promise<void>> {
  let giveBack = (): void => undefined;
  let isHeld = (): void => undefined;
  const held = new Promise<void>((resolve) => (isHeld = resolve));
  const released = new Promise<void>((resolve) => (giveBack = resolve));
  const turn = exclusive(key, async () => {
    isHeld();
    await released;
  });
  await held;
  return async () => {
    giveBack();
    await turn;
  };
}

it('refuses whose turn does not come in time, runs nothing of it, and goes on with the others', async () => {
  const exclusive = onDatabase({ connectionsMax: 16, patienceMs: 200 });
  const giveBack = await hold(exclusive, 'one');
  const ran: string[] = [];
  const late = Array.from({ length: 3 }, async () => {
    await exclusive('one', async () => void ran.push('late'));
  });
  for (const { status, reason } of (await Promise.allSettled(late)) as PromiseRejectedResult[]) {
    expect([status, reason]).toEqual(['rejected', expect.objectContaining(busy)]);
  }
  await exclusive('other', async () => void ran.push('other'));
  await giveBack();
  await exclusive('one', async () => void ran.push('one'));
  expect(ran).toEqual(['other', 'one']);
});

it('refuses who waits for the turns of other keys as well, and gives the own one back', async () => {
  const exclusive = onDatabase({ connectionsMax: 3, patienceMs: 200 });
  const held = [await hold(exclusive, 'one'), await hold(exclusive, 'two')];
  const ran: string[] = [];
  await expect(exclusive('three', async () => void ran.push('late'))).rejects.toMatchObject(busy);
  for (const giveBack of held) await giveBack();
  await exclusive('three', async () => void ran.push('three'));
  expect(ran).toEqual(['three']);
});

it('lets no more than 256 wait for one key, refuses the next at once, and runs those in their order', async () => {
  const exclusive = onDatabase({ connectionsMax: 16, patienceMs: 120_000 });
  const giveBack = await hold(exclusive, 'one');
  const ran: number[] = [];
  const waiting = Array.from({ length: 256 }, async (_, n) => {
    await exclusive('one', async () => void ran.push(n));
  });
  await expect(exclusive('one', async () => void ran.push(256))).rejects.toMatchObject(busy);
  await giveBack();
  await Promise.all(waiting);
  expect(ran).toEqual(Array.from({ length: 256 }, (_, n) => n));
});

it('tries a database that does not answer once for all who wait meanwhile', async () => {
  let tries = 0;
  let fail = (): void => undefined;
  const failed = new Promise<void>((resolve) => (fail = resolve));
  const nowhere = database.open({ connection: 'postgres://nobody@127.0.0.1:1/none' });
  const transaction: Db['transaction'] = async (use) => {
    tries += 1;
    await failed;
    return await nowhere.transaction(use);
  };
  const exclusive = createExclusive(transaction, { connectionsMax: 16, patienceMs: 200 });
  const [first, ...others] = Array.from({ length: 200 }, async () => {
    await exclusive('one', async () => undefined);
  });
  for (const { status } of await Promise.allSettled(others)) expect(status).toBe('rejected');
  expect(tries).toBe(1);
  fail();
  await expect(first).rejects.toMatchObject({ code: 'unavailable' });
});

it('keeps two of one key apart, also those of another server', async () => {
  const servers = [database.open(), database.open()];
  const key = randomUUID();
  let inside = 0;
  let most = 0;
  const turns = Array.from({ length: 20 }, async (_, n) => {
    await servers[n % 2]!.exclusive(key, async (tx) => {
      inside += 1;
      most = Math.max(most, inside);
      await tx.query({ text: 'SELECT 1' });
      inside -= 1;
    });
  });
  await Promise.all(turns);
  expect(most).toBe(1);
});
