import { type Db, type DatabaseOptions, openDatabase } from '../../src/db/open.ts';
import { createDatabase } from '../harness/database.ts';
import { sealingProject } from '../../src/db/layouts.ts';
import type { Queryable } from '../../src/db/open.ts';
import { insertRow } from '../../src/db/sealed.ts';

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

/** Makes a project's row, unsealed, whose epochs all count: what `insertRow` looks at before it inserts. */
export async function admitEpochs(db: Queryable, projectId: string): Promise<void> {
  await db.query({
    text: `INSERT INTO projects
      (id, origin, enabled, active_epoch, least_epoch, created, updated, revision, epoch, seal)
      VALUES ($1, 'local', true, 1, 0, now(), now(), 1, 1, '') ON CONFLICT DO NOTHING`,
    values: [projectId],
  });
}

/** `insertRow`, into a project that there is. */
export const insertAdmitted: typeof insertRow = async (db, table, row, options) => {
  const project = sealingProject(table, row);
  if (table !== 'keks' && !(table === 'projects' && row.id === project)) await admitEpochs(db, project);
  await insertRow(db, table, row, options);
};
