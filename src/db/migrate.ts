import { MIGRATIONS } from '../../migrations/index.ts';
import { CofferError } from '../errors.ts';
import type { Db, Queryable } from './open.ts';

/**
 * What the database says of its schema. `finished` is the last migration whose new layouts may be written.
 */
export interface SchemaState {
  applied: number;
  finished: number;
  latest: number;
}

const LATEST = MIGRATIONS.at(-1)?.number ?? 0;
/** One migrator at a time, whatever the number of servers. */
const MIGRATION_LOCK = 0x636f_6666;
const BOOKKEEPING = `CREATE TABLE IF NOT EXISTS schema_migrations (
  number bigint PRIMARY KEY,
  name text NOT NULL,
  applied timestamptz NOT NULL,
  finished timestamptz
)`;

export async function readSchemaState(db: Queryable): Promise<SchemaState> {
  const { rows: tables } = await db.query<{ found: boolean }>({
    text: `SELECT to_regclass('schema_migrations') IS NOT NULL AS found`,
  });
  if (tables[0]?.found !== true) return { applied: 0, finished: 0, latest: LATEST };
  const { rows } = await db.query<{ applied: bigint | null; finished: bigint | null }>({
    text: 'SELECT max(number) AS applied, max(number) FILTER (WHERE finished IS NOT NULL) AS finished FROM schema_migrations',
  });
  return { applied: Number(rows[0]?.applied ?? 0), finished: Number(rows[0]?.finished ?? 0), latest: LATEST };
}

/**
 * Applies what is missing, all or nothing. A database that had no migration is finished at once: no older
 * server writes to it. Otherwise new layouts wait for `finishMigrations`.
 */
export async function migrate(db: Db): Promise<SchemaState & { before: number }> {
  return await db.transaction(async (tx) => {
    await tx.query({ text: `SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})` });
    await tx.query({ text: BOOKKEEPING });
    const before = await readSchemaState(tx);
    // An index on a large table takes its time; a lock that servers hold is still not waited for long.
    await tx.query({ text: 'SET LOCAL statement_timeout = 0' });
    for (const migration of MIGRATIONS.filter(({ number }) => number > before.applied)) {
      await tx.query({ text: migration.sql, isUnlimited: true });
      await tx.query({
        text: `INSERT INTO schema_migrations (number, name, applied, finished)
          VALUES ($1, $2, now(), CASE WHEN $3 THEN now() END)`,
        values: [migration.number, migration.name, before.applied === 0],
      });
    }
    return { ...(await readSchemaState(tx)), before: before.applied };
  });
}

/** From now on new layouts are written: run it when no server of the version before is left. */
export async function finishMigrations(db: Db): Promise<SchemaState> {
  // Those of a newer version are for that version to finish.
  await db.query({
    text: 'UPDATE schema_migrations SET finished = now() WHERE finished IS NULL AND number <= $1',
    values: [LATEST],
  });
  return await readSchemaState(db);
}

/**
 * What a server that runs needs: everything it knows is there. What came since is harmless: a migration only
 * adds, and its layouts are written when no such server is left.
 *
 * @throws CofferError `configuration`, with the command to run, when the schema is behind.
 */
export function requireApplied(state: SchemaState): void {
  if (state.applied < state.latest) {
    const found = state.applied === 0 ? 'has no schema' : `is at migration ${state.applied}`;
    throw new CofferError(
      'configuration',
      `The database ${found}, and this server needs ${state.latest}. Run: coffer migrate`,
    );
  }
}

/** Whether a server starts on this schema. */
export function startsOn({ applied, finished, latest }: SchemaState): boolean {
  return applied >= latest && finished <= latest;
}

/**
 * What a start needs. An older version may start beside a newer one, as it may go on there, until layouts are
 * written that it cannot read.
 *
 * @throws CofferError `configuration`, that says what to do, when the schema is behind or finished beyond.
 */
export function requireSchema(state: SchemaState): void {
  requireApplied(state);
  if (state.finished > state.latest) {
    throw new CofferError(
      'configuration',
      `The database is finished at migration ${state.finished}, newer than this server knows (${state.latest}). Install the newer Coffer.`,
    );
  }
}
