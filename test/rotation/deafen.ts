import type pg from 'pg';
import type { StartedCoffer } from '../harness/start-coffer.ts';

/** From now on a server hears no NOTIFY: its connection is broken, and the next one does not listen. */
export async function deafen({ installation: { db } }: StartedCoffer): Promise<void> {
  db.pool.on('acquire', (client) => {
    const query = client.query.bind(client) as (...asked: unknown[]) => unknown;
    const deaf = (...asked: unknown[]): unknown => {
      const [statement] = asked;
      if (typeof statement === 'string' && statement.startsWith('LISTEN ')) return query('SELECT 1');
      return query(...asked);
    };
    client.query = deaf as pg.PoolClient['query'];
  });
  await db.query({
    text: `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND query LIKE 'LISTEN %'`,
  });
}
