import { randomUUID } from 'node:crypto';
import { setImmediate as nextTick, setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lookup, createLookups } from '../../src/db/lookup.ts';
import type { Answer, Statement } from '../../src/db/open.ts';
import { type TestDatabase, createTestDatabase } from './test-database.ts';

interface Row {
  asked: string;
  value: string;
}

const BY_KEY: Lookup<Row> = { name: 'by-key', text: 'SELECT …' };

/** A database that answers when it is told to, in the order of the test's choice. */
function createSlowDatabase() {
  const asked: { keys: string[]; answer: (rows: Row[]) => void; fail: (error: Error) => void }[] = [];
  const query = async <R>(statement: Statement): Promise<Answer<R>> =>
    await new Promise<Answer<R>>((resolve, reject) => {
      asked.push({
        keys: statement.values?.[0] as string[],
        answer: (rows) => resolve({ rows: rows as R[], rowCount: rows.length }),
        fail: reject,
      });
    });
  return { asked, lookups: createLookups(query) };
}

const rowOf = (key: string): Row => ({ asked: key, value: `value of ${key}` });

describe('lookups', () => {
  it('of one tick are one statement, each key in it once', async () => {
    const { asked, lookups } = createSlowDatabase();
    const answers = ['a', 'b', 'a', 'c', 'a'].map(async (key) => await lookups.find(BY_KEY, key));
    await nextTick();
    expect(asked.map(({ keys }) => keys)).toEqual([['a', 'b', 'c']]);
    asked[0]!.answer([rowOf('c'), rowOf('a')]);
    expect(await Promise.all(answers)).toEqual([rowOf('a'), undefined, rowOf('a'), rowOf('c'), rowOf('a')]);
  });

  it('reach their askers by key, whatever the order or the number of rows', async () => {
    const { asked, lookups } = createSlowDatabase();
    const answers = ['a', 'b', 'c'].map(async (key) => await lookups.find(BY_KEY, key));
    await nextTick();
    asked[0]!.answer([rowOf('c'), rowOf('somebody else’s'), rowOf('b')]);
    expect(await Promise.all(answers)).toEqual([undefined, rowOf('b'), rowOf('c')]);
  });

  it('give all rows of a key to who asks for all, and the first to who asks for one', async () => {
    const { asked, lookups } = createSlowDatabase();
    const all = ['a', 'b', 'c'].map(async (key) => await lookups.findAll(BY_KEY, key));
    const one = lookups.find(BY_KEY, 'a');
    await nextTick();
    const second = { asked: 'a', value: 'a second one' };
    asked[0]!.answer([rowOf('a'), rowOf('b'), second]);
    expect(await Promise.all(all)).toEqual([[rowOf('a'), second], [rowOf('b')], []]);
    expect(await one).toEqual(rowOf('a'));
  });

  it('of different statements are never mixed', async () => {
    const { asked, lookups } = createSlowDatabase();
    const one = lookups.find(BY_KEY, 'a');
    const other = lookups.find({ ...BY_KEY, name: 'other' }, 'a');
    await nextTick();
    expect(asked.length).toBe(2);
    asked[0]!.answer([rowOf('a')]);
    asked[1]!.answer([]);
    expect([await one, await other]).toEqual([rowOf('a'), undefined]);
  });

  it('that fail, fail for all who asked, and the next one asks again', async () => {
    const { asked, lookups } = createSlowDatabase();
    const answers = ['a', 'b', 'a'].map(async (key) => await lookups.find(BY_KEY, key));
    await nextTick();
    const failure = new Error('away');
    asked[0]!.fail(failure);
    const settled = await Promise.allSettled(answers);
    expect(settled).toEqual(answers.map(() => ({ status: 'rejected', reason: failure })));
    const again = lookups.find(BY_KEY, 'a');
    await nextTick();
    asked[1]!.answer([rowOf('a')]);
    expect(await again).toEqual(rowOf('a'));
  });

  it('wait while three statements are on their way, and go together after', async () => {
    const { asked, lookups } = createSlowDatabase();
    const answers: Promise<Row | undefined>[] = [];
    for (const key of ['a', 'b', 'c', 'd', 'e']) {
      answers.push(lookups.find(BY_KEY, key));
      await nextTick();
    }
    expect(asked.map(({ keys }) => keys)).toEqual([['a'], ['b'], ['c']]);
    asked[1]!.answer([rowOf('b')]);
    await sleep(1);
    expect(asked.slice(3).map(({ keys }) => keys)).toEqual([['d', 'e']]);
    for (const { keys, answer } of asked) answer(keys.map(rowOf));
    expect(await Promise.all(answers)).toEqual(['a', 'b', 'c', 'd', 'e'].map(rowOf));
  });

  it('are split at 128 keys', async () => {
    const { asked, lookups } = createSlowDatabase();
    const keys = Array.from({ length: 300 }, (_, index) => `key ${index}`);
    const answers = keys.map(async (key) => await lookups.find(BY_KEY, key));
    await nextTick();
    expect(asked.map((batch) => batch.keys.length)).toEqual([128, 128, 44]);
    for (const batch of asked.toReversed()) batch.answer(batch.keys.map(rowOf));
    expect(await Promise.all(answers)).toEqual(keys.map(rowOf));
  });
});

describe('lookups on PostgreSQL', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase({ migrated: false });
    await database.db.query({ text: 'CREATE TABLE things (id text PRIMARY KEY, value text)' });
    await database.db.query({
      text: `INSERT INTO things SELECT 'thing ' || n, 'value ' || n FROM generate_series(1, 2000) AS n`,
    });
  });
  afterAll(async () => await database.drop());

  const THING: Lookup<Row> = {
    name: 'thing',
    text: 'SELECT asked, value FROM unnest($1::text[]) AS asked JOIN things ON things.id = asked',
  };

  it('give 10,000 askers at once the row of their own key', async () => {
    const numbers = Array.from({ length: 10_000 }, (_, index) => (index * 7919) % 2_500);
    const rows = await Promise.all(
      numbers.map(async (number, index) => {
        if (index % 50 === 0) await sleep(index % 7);
        return await database.db.lookup(THING, `thing ${number}`);
      }),
    );
    for (const [index, row] of rows.entries()) {
      const number = numbers[index]!;
      expect(row?.value).toBe(number >= 1 && number <= 2_000 ? `value ${number}` : undefined);
    }
  });

  it('fail for all with the code of the failure', async () => {
    const broken: Lookup<Row> = {
      name: 'broken',
      text: 'SELECT asked FROM unnest($1::text[]) AS asked, no_table',
    };
    const answers = [randomUUID(), randomUUID()].map(async (key) => await database.db.lookup(broken, key));
    for (const result of await Promise.allSettled(answers)) expect(result.status).toBe('rejected');
  });
});
