import { randomUUID } from 'node:crypto';
import pg from 'pg';

export interface TestDatabase {
  url: string;
  drop(): Promise<void>;
}

/** An empty database of its own on the server of `COFFER_TEST_DATABASE_URL`. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const server = process.env.COFFER_TEST_DATABASE_URL ?? '';
  const name = `contract_${randomUUID().replaceAll('-', '')}`;
  const run = async (statement: string) => {
    const client = new pg.Client(server);
    await client.connect();
    try {
      await client.query(statement);
    } finally {
      await client.end();
    }
  };
  await run(`CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = name;
  return { url: url.href, drop: async () => await run(`DROP DATABASE ${name} WITH (FORCE)`) };
}
