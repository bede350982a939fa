import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { migrate } from '../../src/db/migrate.ts';
import { type Db, type DatabaseOptions, openDatabase } from '../../src/db/open.ts';

export interface TestDatabase {
  db: Db;
  connection: pg.PoolConfig;
  /** One more pool on the same database, closed with it. */
  open(options?: Partial<DatabaseOptions>): Db;
  drop(): Promise<void>;
}

const SERVER: pg.PoolConfig = { host: '/tmp/vectors/pg', port: 19800, user: 'postgres' };

export async function createTestDatabase({ migrated = true } = {}): Promise<TestDatabase> {
  const name = `t${randomBytes(6).toString('hex')}`;
  const admin = openDatabase({ connection: { ...SERVER, database: 'postgres' } });
  await admin.query({ text: `CREATE DATABASE ${name}` });
  const connection = { ...SERVER, database: name };
  const pools: Db[] = [];
  const open = (options: Partial<DatabaseOptions> = {}): Db => {
    const db = openDatabase({ connection, ...options });
    pools.push(db);
    return db;
  };
  const db = open();
  if (migrated) await migrate(db);
  return {
    db,
    connection,
    open,
    drop: async () => {
      await Promise.all(pools.map(async (pool) => await pool.close()));
      await admin.query({ text: `DROP DATABASE ${name} WITH (FORCE)` });
      await admin.close();
    },
  };
}
