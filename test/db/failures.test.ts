import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asCofferError } from '../../src/db/failures.ts';
import { type Db, openDatabase } from '../../src/db/open.ts';
import { CofferError } from '../../src/errors.ts';
import { type TestDatabase, createTestDatabase } from './test-database.ts';

const CANARY = 'canary-7f3a9c';
const unavailable = { code: 'unavailable', retryAfterSeconds: 1 };

let database: TestDatabase;
let db: Db;
beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  db = database.db;
  await db.query({
    text: `CREATE TABLE things (id text PRIMARY KEY, number bigint, at timestamptz, ref uuid, data jsonb,
      kept text NOT NULL, CHECK (kept <> 'no'))`,
  });
  await db.query({ text: `INSERT INTO things (id, kept) VALUES ('${CANARY}', '${CANARY}')` });
});
afterAll(async () => await database.drop());

async function failureOf(action: Promise<unknown>): Promise<Error> {
  const error = await action.then(
    () => expect.unreachable('it did not fail'),
    (failure: unknown) => failure as Error,
  );
  expectNoRow(error);
  return error;
}

/** A message, stack, cause or property of an error goes to a log: none may quote a row or a parameter. */
function expectNoRow(error: unknown): void {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const all = `${inspect(at, { showHidden: true, depth: 8 })} ${at.stack} ${at.message} ${JSON.stringify(at, Object.getOwnPropertyNames(at))}`;
    expect(all).not.toContain(CANARY);
  }
}

describe('a statement that fails', () => {
  it.each([
    ['for a row that exists', `INSERT INTO things (id, kept) VALUES ($1, 'x')`, 'conflict'],
    ['for a bad uuid', 'SELECT $1::uuid', 'bad_request'],
    ['for a bad number', 'SELECT $1::bigint', 'bad_request'],
    ['for a bad time', 'SELECT $1::timestamptz', 'bad_request'],
    ['for bad JSON', 'SELECT $1::jsonb', 'bad_request'],
    ['for a bad pattern', "SELECT regexp_match($1, $1 || '[')", undefined],
    ['for NULL where there must be a value', 'INSERT INTO things (id) VALUES ($1)', undefined],
    ['for a check', `INSERT INTO things (id, kept) VALUES ($1 || '2', 'no')`, undefined],
    ['for an unknown table', `SELECT $1::text FROM "${CANARY}"`, undefined],
    [
      'for an exception with a detail',
      `DO $$ BEGIN RAISE 'x ${CANARY}' USING DETAIL = '${CANARY}', HINT = '${CANARY}'; END $$`,
      undefined,
    ],
  ])('%s says so and quotes nothing', async (_, text, code) => {
    const values = text.includes('$1') ? [CANARY] : [];
    const error = await failureOf(db.query({ text, values }));
    if (code !== undefined) expect(error).toMatchObject({ code });
  });

  it('for text with a NUL is the client’s, not a crash', async () => {
    const error = await failureOf(db.query({ text: 'SELECT $1::text', values: [`${CANARY}\0`] }));
    expect(error).toMatchObject({ code: 'bad_request' });
  });

  it('for a number past its type is the client’s', async () => {
    const error = await failureOf(db.query({ text: 'SELECT $1::bigint', values: [2n ** 63n] }));
    expect(error).toMatchObject({ code: 'bad_request' });
  });

  it('keeps the SQLSTATE for the log', async () => {
    const error = await failureOf(
      db.query({ text: `INSERT INTO things (id, kept) VALUES ($1, 'x')`, values: [CANARY] }),
    );
    expect((error.cause as Error).message).toBe('database error 23505');
  });

  it('by our own mistake is a plain error: answered with 500', async () => {
    const error = await failureOf(db.query({ text: 'SELEC' }));
    expect(error).not.toBeInstanceOf(CofferError);
    expect(error.message).toBe('database error 42601');
  });
});

describe('a database that is not able to answer', () => {
  it('past the statement’s time is unavailable', async () => {
    const hurried = database.open({ statementTimeoutMs: 1_000 });
    expect(await failureOf(hurried.query({ text: 'SELECT pg_sleep(60)' }))).toMatchObject(unavailable);
    expect((await hurried.query({ text: 'SELECT 1 AS one' })).rows).toEqual([{ one: 1 }]);
  });

  it('because of a lock is unavailable', async () => {
    const hurried = database.open({ statementTimeoutMs: 2_000 });
    // Later the statement's own time could be over before the one for the lock.
    await hurried.query({ text: 'SELECT * FROM things' });
    await db.transaction(async (tx) => {
      await tx.query({ text: 'LOCK TABLE things IN ACCESS EXCLUSIVE MODE' });
      const error = await failureOf(hurried.query({ text: 'SELECT * FROM things' }));
      expect(error).toMatchObject(unavailable);
      expect((error.cause as Error).message).toBe('database error 55P03');
    });
  });

  it('because of a deadlock is unavailable', async () => {
    const other = database.open();
    await db.query({ text: `INSERT INTO things (id, kept) VALUES ('one', 'x'), ('two', 'x')` });
    let holding = 0;
    let letBothGo = (): void => {};
    const bothHold = new Promise<void>((resolve) => {
      letBothGo = resolve;
    });
    const change = async (pool: Db, first: string, second: string): Promise<unknown> =>
      await pool.transaction(async (tx) => {
        await tx.query({ text: 'UPDATE things SET number = 1 WHERE id = $1', values: [first] });
        holding += 1;
        if (holding === 2) letBothGo();
        await bothHold;
        await tx.query({ text: 'UPDATE things SET number = 1 WHERE id = $1', values: [second] });
      });
    const results = await Promise.allSettled([change(db, 'one', 'two'), change(other, 'two', 'one')]);
    const lost = results.filter((result) => result.status === 'rejected');
    expect(lost.map(({ reason }) => reason as unknown)).toEqual([expect.objectContaining(unavailable)]);
  });

  it('because it is read-only is unavailable', async () => {
    const reading = db.transaction(async (tx) => {
      await tx.query({ text: 'SET TRANSACTION READ ONLY' });
      await tx.query({ text: `INSERT INTO things (id, kept) VALUES ('x', 'x')` });
    });
    expect(await failureOf(reading)).toMatchObject(unavailable);
  });

  it.each([
    ['no socket there', { host: '/tmp/no-such-folder', port: 19_801 }],
    ['nobody listening', { host: '127.0.0.1', port: 19_802 }],
    ['no such host', { host: 'no-such-host.invalid', port: 19_803 }],
  ])('with %s is unavailable', async (_, address) => {
    const away = openDatabase({
      connection: { ...address, user: 'postgres', database: CANARY, password: CANARY },
    });
    expect(await failureOf(away.query({ text: 'SELECT 1' }))).toMatchObject(unavailable);
    expect(await failureOf(away.transaction(async () => {}))).toMatchObject(unavailable);
    expect(await failureOf(away.lookup({ name: 'x', text: 'SELECT $1' }, CANARY))).toMatchObject(unavailable);
    await away.close();
  });

  it('because its pool is closed is unavailable', async () => {
    const closed = openDatabase({ connection: database.url });
    await closed.close();
    expect(await failureOf(closed.query({ text: 'SELECT 1' }))).toMatchObject(unavailable);
  });
});

describe('a connection that is killed', () => {
  const kill = async (pid: unknown): Promise<void> => {
    await db.query({ text: 'SELECT pg_terminate_backend($1, 5000)', values: [pid] });
  };
  const BACKEND = { text: 'SELECT pg_backend_pid() AS pid' };
  const stateOf = async (pid: unknown): Promise<unknown> =>
    (await db.query({ text: 'SELECT state FROM pg_stat_activity WHERE pid = $1', values: [pid] })).rows[0]
      ?.state;

  it('during a statement makes that one unavailable and no other', async () => {
    const victim = database.open({ connectionsMax: 1 });
    const { rows } = await victim.query(BACKEND);
    const waiting = failureOf(victim.query({ text: 'SELECT pg_sleep(60)' }));
    await expect.poll(async () => await stateOf(rows[0]?.pid)).toBe('active');
    await kill(rows[0]?.pid);
    expect(await waiting).toMatchObject(unavailable);
    expect((await victim.query({ text: 'SELECT 1 AS one' })).rows).toEqual([{ one: 1 }]);
  });

  it('while it is checked out does not end the process, and is replaced', async () => {
    const seen: Error[] = [];
    const victim = database.open({ connectionsMax: 1, onConnectionError: (error) => seen.push(error) });
    const broken = victim.transaction(async (tx) => {
      const { rows } = await tx.query(BACKEND);
      await kill(rows[0]?.pid);
      await tx.query({ text: 'SELECT 1' });
    });
    expect(await failureOf(broken)).toMatchObject(unavailable);
    await expect.poll(() => seen.length).toBeGreaterThan(0);
    expect((await victim.query({ text: 'SELECT 1 AS one' })).rows).toEqual([{ one: 1 }]);
  });

  it('while it is idle does not end the process, and is replaced', async () => {
    const seen: Error[] = [];
    const victim = database.open({ connectionsMax: 1, onConnectionError: (error) => seen.push(error) });
    await kill((await victim.query(BACKEND)).rows[0]?.pid);
    await expect.poll(() => seen.length).toBeGreaterThan(0);
    expect((await victim.query({ text: 'SELECT 1 AS one' })).rows).toEqual([{ one: 1 }]);
  });

  it('by its own idleness in a transaction is unavailable', async () => {
    const hurried = database.open({ connectionsMax: 1, statementTimeoutMs: 1_000 });
    const idle = hurried.transaction(async (tx) => {
      const { rows } = await tx.query(BACKEND);
      await expect.poll(async () => await stateOf(rows[0]?.pid)).toBeUndefined();
      await tx.query({ text: 'SELECT 1' });
    });
    expect(await failureOf(idle)).toMatchObject(unavailable);
    expect((await hurried.query({ text: 'SELECT 1 AS one' })).rows).toEqual([{ one: 1 }]);
  });
});

describe('a named statement', () => {
  it('is planned anew when its table changed', async () => {
    const single = database.open({ connectionsMax: 1 });
    await single.query({ text: 'CREATE TABLE changing (value bigint)' });
    await single.query({ text: 'INSERT INTO changing VALUES (7)' });
    const statement = { name: 'changing', text: 'SELECT value FROM changing' };
    expect((await single.query(statement)).rows).toEqual([{ value: 7n }]);
    await single.query({ text: 'ALTER TABLE changing ALTER COLUMN value TYPE text' });
    expect((await single.query(statement)).rows).toEqual([{ value: '7' }]);
    expect((await single.query(statement)).rows).toEqual([{ value: '7' }]);
  });
});

describe('a transaction', () => {
  const count = async (id: string): Promise<unknown> =>
    (await db.query({ text: 'SELECT count(*) AS count FROM things WHERE id = $1', values: [id] })).rows[0]
      ?.count;

  it('is rolled back when its function throws, with that error', async () => {
    const ours = new Error('ours');
    const failed = db.transaction(async (tx) => {
      await tx.query({ text: `INSERT INTO things (id, kept) VALUES ('rolled back', 'x')` });
      throw ours;
    });
    await expect(failed).rejects.toBe(ours);
    expect(await count('rolled back')).toBe(0n);
  });

  it('is not said to be committed when a statement of it failed and nobody minded', async () => {
    const swallowed = db.transaction(async (tx) => {
      await tx.query({ text: `INSERT INTO things (id, kept) VALUES ('swallowed', 'x')` });
      await tx.query({ text: 'SELECT 1 / 0' }).catch(() => {});
      return 'done';
    });
    await expect(swallowed).rejects.toThrow('rolled back');
    expect(await count('swallowed')).toBe(0n);
    expect((await db.query({ text: 'SELECT 1 AS one' })).rows).toEqual([{ one: 1 }]);
  });

  it('gives its connection back, whatever happens', async () => {
    const single = database.open({ connectionsMax: 1 });
    for (let turn = 0; turn < 5; turn += 1) {
      await expect(
        single.transaction(async (tx) => await tx.query({ text: 'SELECT 1 / 0' })),
      ).rejects.toThrow();
      await single.transaction(async (tx) => await tx.query({ text: 'SELECT 1' }));
    }
    expect(single.pool.totalCount).toBe(1);
  });
});

describe('asCofferError', () => {
  it('gives back what is no error of a database', () => {
    const refusal = new CofferError('not_found', 'Not Found');
    for (const other of [refusal, 'text', undefined, null, 7]) expect(asCofferError(other)).toBe(other);
  });

  it.each([
    ['08006', 'unavailable'],
    ['57P01', 'unavailable'],
    ['57P03', 'unavailable'],
    ['25006', 'unavailable'],
    ['53300', 'unavailable'],
    ['40001', 'unavailable'],
    ['40P01', 'unavailable'],
    ['55P03', 'unavailable'],
    ['57014', 'unavailable'],
    ['58030', 'unavailable'],
    ['ECONNREFUSED', 'unavailable'],
    ['EPIPE', 'unavailable'],
    ['23505', 'conflict'],
    ['22P02', 'bad_request'],
    ['22021', 'bad_request'],
    ['23502', undefined],
    ['42P01', undefined],
    ['XX000', undefined],
  ])('takes %s as %s', (state, code) => {
    const error = asCofferError(
      Object.assign(new Error(CANARY), { code: state, detail: CANARY, where: CANARY }),
    );
    expectNoRow(error);
    expect((error as { code?: unknown }).code).toBe(code);
  });
});
