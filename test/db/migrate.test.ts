import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MIGRATIONS } from '../../migrations/index.ts';
import {
  finishMigrations,
  migrate,
  readSchemaState,
  requireApplied,
  requireSchema,
  type SchemaState,
  startsOn,
} from '../../src/db/migrate.ts';
import { type TestDatabase, createTestDatabase } from './test-database.ts';

const latest = MIGRATIONS.at(-1)!.number;

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase({ migrated: false });
});
afterEach(async () => await database.drop());

async function record(number: number, finished: boolean): Promise<void> {
  await database.db.query({
    text: `INSERT INTO schema_migrations (number, name, applied, finished)
      VALUES ($1, 'later', now(), CASE WHEN $2 THEN now() END)`,
    values: [number, finished],
  });
}

describe('the migrations', () => {
  it('are in order of their numbers, each once', () => {
    const numbers = MIGRATIONS.map(({ number }) => number);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(new Set(MIGRATIONS.map(({ name }) => name)).size).toBe(MIGRATIONS.length);
  });
});

describe('migrate', () => {
  it('takes an empty database to the latest schema, finished', async () => {
    expect(await readSchemaState(database.db)).toEqual({ applied: 0, finished: 0, latest });
    expect(await migrate(database.db)).toEqual({ before: 0, applied: latest, finished: latest, latest });
    expect(await readSchemaState(database.db)).toEqual({ applied: latest, finished: latest, latest });
  });

  it('does nothing the second time', async () => {
    await migrate(database.db);
    const before = await database.db.query({ text: 'SELECT * FROM schema_migrations' });
    expect(await migrate(database.db)).toEqual({ before: latest, applied: latest, finished: latest, latest });
    expect((await database.db.query({ text: 'SELECT * FROM schema_migrations' })).rows).toEqual(before.rows);
  });

  it('runs once when many connections begin it at once', async () => {
    const pools = [database.open(), database.open(), database.open(), database.open()];
    const states = await Promise.all(pools.map(async (db) => await migrate(db)));
    expect(states.map(({ before }) => before).toSorted((one, other) => one - other)).toEqual([
      0,
      latest,
      latest,
      latest,
    ]);
    const { rows } = await database.db.query({ text: 'SELECT count(*) AS count FROM schema_migrations' });
    expect(rows).toEqual([{ count: BigInt(MIGRATIONS.length) }]);
  });

  it('takes longer than any other statement may', async () => {
    await database.db.query({
      text: `CREATE FUNCTION linger() RETURNS event_trigger LANGUAGE plpgsql AS
        $$ BEGIN
          IF TG_TAG = 'CREATE TABLE' AND EXISTS (
            SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'public.secrets'
          ) THEN PERFORM pg_sleep(3.3); END IF;
        END $$`,
    });
    await database.db.query({
      text: 'CREATE EVENT TRIGGER linger ON ddl_command_end EXECUTE FUNCTION linger()',
    });
    // The server would give up after a second, the client after three.
    const hasty = database.open({ statementTimeoutMs: 1_000 });
    expect(await migrate(hasty)).toMatchObject({ before: 0, applied: latest });
    await expect(hasty.query({ text: 'SELECT pg_sleep(60)' })).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('does not wait long for a lock that a server holds', async () => {
    await migrate(database.db);
    const held = database.open();
    await held.transaction(async (tx) => {
      await tx.query({ text: 'LOCK TABLE schema_migrations IN ACCESS EXCLUSIVE MODE' });
      const hasty = database.open({ statementTimeoutMs: 400 });
      await expect(migrate(hasty)).rejects.toMatchObject({ code: 'unavailable' });
    });
  });

  it('leaves nothing of a migration that fails', async () => {
    await database.db.query({ text: 'CREATE TABLE secrets (id text)' });
    await expect(migrate(database.db)).rejects.toThrow();
    const { rows } = await database.db.query<{ name: string }>({
      text: `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`,
    });
    expect(rows).toEqual([{ name: 'secrets' }]);
  });
});

describe('the state of the schema', () => {
  it('is accepted when it is the one that this server knows', async () => {
    requireSchema(await migrate(database.db));
  });

  it('names the command when the database has none', async () => {
    const state = await readSchemaState(database.db);
    expect(() => requireSchema(state)).toThrow(
      `The database has no schema, and this server needs ${latest}. Run: coffer migrate`,
    );
  });

  it('names the command when the database is behind', () => {
    expect(() => requireSchema({ applied: 1, finished: 1, latest: 2 })).toThrow(
      'The database is at migration 1, and this server needs 2. Run: coffer migrate',
    );
  });

  it('lets the older version start and go on beside a newer one, until that is finished', async () => {
    await migrate(database.db);
    await record(latest + 1, false);
    const beside = await readSchemaState(database.db);
    expect(beside).toEqual({ applied: latest + 1, finished: latest, latest });
    requireSchema(beside);
    await database.db.query({ text: 'UPDATE schema_migrations SET finished = now()' });
    const finished = await readSchemaState(database.db);
    requireApplied(finished);
    let refusal: unknown;
    try {
      requireSchema(finished);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toMatchObject({
      code: 'configuration',
      message: `The database is finished at migration ${latest + 1}, newer than this server knows (${latest}). Install the newer Coffer.`,
    });
  });

  it('is one to start on for whoever would start on it', () => {
    for (const applied of [0, 1, 2, 3]) {
      for (let finished = 0; finished <= applied; finished += 1) {
        const state: SchemaState = { applied, finished, latest: 2 };
        let starts = true;
        try {
          requireSchema(state);
        } catch {
          starts = false;
        }
        expect([state, startsOn(state)]).toEqual([state, starts]);
      }
    }
  });

  it('is finished only when it is told to be, by the version whose layouts are then written', async () => {
    await migrate(database.db);
    await database.db.query({
      text: 'UPDATE schema_migrations SET finished = NULL WHERE number = $1',
      values: [latest],
    });
    await record(latest + 1, false);
    const before = MIGRATIONS.at(-2)!.number;
    expect(await migrate(database.db)).toMatchObject({ applied: latest + 1, finished: before });
    expect((await finishMigrations(database.db)).finished).toBe(latest);
  });
});
