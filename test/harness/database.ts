import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';

export interface TestDatabase {
  name: string;
  url: string;
  drop: () => Promise<void>;
}

/** A database of its own on the server of the run: migrated, or empty when asked for. */
export async function createDatabase({ migrated = true } = {}): Promise<TestDatabase> {
  const { url, template, prefix } = inject('testPostgres');
  const name = `${prefix}_${randomUUID().slice(0, 13).replace('-', '')}`;
  await run(url, `CREATE DATABASE ${name} TEMPLATE ${migrated ? template : `template0 ENCODING 'UTF8'`}`);
  return {
    name,
    url: urlOf(url, name),
    drop: async () => await run(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

/**
 * A backup, restored at once beside the database that it is of: its files as they are now. Who is connected
 * loses the connection.
 */
export async function copyDatabase({ name: original }: TestDatabase): Promise<TestDatabase> {
  const { url, prefix } = inject('testPostgres');
  const name = `${prefix}_${randomUUID().slice(0, 13).replace('-', '')}`;
  await run(url, `ALTER DATABASE ${original} ALLOW_CONNECTIONS false`);
  try {
    await run(
      url,
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '${original}'`,
    );
    await run(url, `CREATE DATABASE ${name} TEMPLATE ${original}`);
  } finally {
    await run(url, `ALTER DATABASE ${original} ALLOW_CONNECTIONS true`);
  }
  return {
    name,
    url: urlOf(url, name),
    drop: async () => await run(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

/** Another database of the same server. */
export function urlOf(server: string, database: string): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.href;
}

async function run(url: string, statement: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
