import { Kysely, PostgresAdapter, DummyDriver, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import pg from 'pg';
import { createExclusive, type Exclusive } from './exclusive.ts';
import { asCofferError } from './failures.ts';
import { type Lookup, type Lookups, createLookups } from './lookup.ts';
import type { Tables } from './schema.ts';

export interface Statement {
  /** Named statements are planned once a connection. */
  name?: string;
  text: string;
  values?: readonly unknown[];
  /** Waits for the answer however long it takes, where the transaction has no limit of its own. */
  isUnlimited?: true;
}

export interface Answer<R = Record<string, unknown>> {
  rows: R[];
  rowCount: number | null;
  /** The tag of the last statement: `COMMIT`. */
  command?: string;
}

export interface Queryable {
  query<R = Record<string, unknown>>(statement: Statement): Promise<Answer<R>>;
}

export interface Db extends Queryable {
  /** Builds SQL, and runs none: `db.query(build.….compile())`. */
  readonly build: Kysely<Tables>;
  readonly pool: pg.Pool;
  /** Runs `use` in one transaction: committed when it returns, rolled back when it throws. */
  transaction<T>(use: (tx: Queryable) => Promise<T>): Promise<T>;
  /**
   * `transaction`, one at a time of its key on all servers. `use` asks `tx` alone: it has one of few turns.
   */
  exclusive: Exclusive;
  /** The row of this key, read together with all others asked for in the same tick. */
  lookup<R>(lookup: Lookup<R>, key: string): Promise<R | undefined>;
  /** The same for a statement that gives a key several rows. */
  lookupAll<R>(lookup: Lookup<R>, key: string): Promise<R[]>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** A connection string, or the fields that `pg` takes. */
  connection: string | pg.PoolConfig;
  connectionsMax?: number;
  statementTimeoutMs?: number;
  onConnectionError?: (error: Error) => void;
}

const CONNECT_TIMEOUT_MS = 3_000;
const KEEP_ALIVE_MS = 10_000;
const INT8 = 20;
/** What a timer can wait. */
const LONGEST_MS = 2 ** 31 - 1;

/** Connects lazily: a database that is away fails the query, with `unavailable`, never the process. */
export function openDatabase(options: DatabaseOptions): Db {
  const {
    connection,
    connectionsMax = 16,
    statementTimeoutMs = 10_000,
    onConnectionError = () => {},
  } = options;
  const pool = new pg.Pool({
    ...(typeof connection === 'string' ? { connectionString: connection } : connection),
    max: connectionsMax,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: 60_000,
    // The other end may be gone without a word, as after the failover of a balancer.
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    statement_timeout: statementTimeoutMs,
    // The server's own limit comes first; this one is for a server that no longer answers at all.
    query_timeout: statementTimeoutMs + 2_000,
    idle_in_transaction_session_timeout: statementTimeoutMs,
    lock_timeout: Math.floor(statementTimeoutMs / 2),
    application_name: 'coffer',
    types: { getTypeParser: parserOf as typeof pg.types.getTypeParser },
  });
  pool.on('error', onConnectionError);
  // A checked-out client without a listener of its own would end the process when its connection breaks.
  pool.on('connect', (client) => client.on('error', onConnectionError));
  const run = async <R>(statement: Statement): Promise<Answer<R>> => await ask<R>(pool, statement);
  const lookups: Lookups = createLookups(run);
  const transaction: Db['transaction'] = async (use) => await runTransaction(pool, use);
  return {
    pool,
    build: createBuilder(),
    query: run,
    transaction,
    exclusive: createExclusive(transaction, { connectionsMax }),
    lookup: async (lookup, key) => await lookups.find(lookup, key),
    lookupAll: async (lookup, key) => await lookups.findAll(lookup, key),
    close: async () => await pool.end(),
  };
}

function parserOf(oid: number, format?: 'text' | 'binary'): unknown {
  return oid === INT8 ? BigInt : pg.types.getTypeParser(oid, format);
}

async function ask<R>(target: pg.Pool | pg.PoolClient, statement: Statement): Promise<Answer<R>> {
  try {
    const { name, text, values, isUnlimited } = statement;
    const config: pg.QueryConfig & { query_timeout?: number } = { text };
    if (isUnlimited) config.query_timeout = LONGEST_MS;
    if (name !== undefined) config.name = name;
    // Without values a text may hold several statements: a migration does.
    if (values !== undefined) config.values = [...values];
    const { rows, rowCount, command } = await target.query<R & pg.QueryResultRow>(config);
    return { rows, rowCount, command };
  } catch (error) {
    // A named statement that was planned before its table changed fails on that connection for good: plan it
    // anew.
    if (statement.name !== undefined && target instanceof pg.Pool && isStalePlan(error)) {
      const { text, values } = statement;
      return await ask(target, values === undefined ? { text } : { text, values });
    }
    throw asCofferError(error);
  }
}

function isStalePlan(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return code === '0A000' && String(message).includes('cached plan');
}

async function runTransaction<T>(pool: pg.Pool, use: (tx: Queryable) => Promise<T>): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw asCofferError(error);
  });
  let broken: Error | undefined;
  try {
    await ask(client, { text: 'BEGIN' });
    const result = await use({ query: async (statement) => await ask(client, statement) });
    await commit(client);
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((failure: Error) => {
      broken = failure;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

/** PostgreSQL answers COMMIT with ROLLBACK when a statement failed and `use` went on all the same. */
async function commit(client: pg.PoolClient): Promise<void> {
  const { command } = await ask(client, { text: 'COMMIT' });
  if (command !== 'COMMIT') throw new Error('the transaction failed before, and was rolled back');
}

/** Kysely without a connection: statements are run by `Db.query`, which maps failures. */
function createBuilder(): Kysely<Tables> {
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  });
}
