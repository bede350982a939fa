import { type Db, type DatabaseOptions, openDatabase } from '../../src/db/open.ts';
import { createDatabase } from '../harness/database.ts';

export interface TestDatabase {
  db: Db;
  url: string;
  /** One more pool on the same database, closed with it. */
  open(options?: Partial<DatabaseOptions>): Db;
  drop(): Promise<void>;
}

/** A database with pools on it, migrated unless it is told not to be. */
export async function createTestDatabase({ migrated = true } = {}): Promise<TestDatabase> {
  const { url, drop } = await createDatabase({ migrated });
  const pools: Db[] = [];
  const open = (options: Partial<DatabaseOptions> = {}): Db => {
    const db = openDatabase({ connection: url, ...options });
    pools.push(db);
    return db;
  };
  const db = open();
  return {
    db,
    url,
    open,
    drop: async () => {
      await Promise.all(pools.map(async (pool) => await pool.close()));
      await drop();
    },
  };
}
