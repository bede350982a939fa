import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startPrivatePostgres } from '../../src/db/embedded.ts';
import { isAlive, readOwner } from '../../src/db/embedded-lock.ts';
import { sweep } from '../../src/db/embedded-postmaster.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openDatabase } from '../../src/db/open.ts';
import { urlOf } from './database.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The server of this run, and the names that are this run's. */
    testPostgres: { url: string; template: string; prefix: string };
  }
}

const FOLDER = 'coffer-vitest-';

/**
 * One PostgreSQL for the run: the server of COFFER_TEST_DATABASE_URL, or a private one. There a migrated
 * template is made. The variable is set either way: processes that tests start find the same server.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env.COFFER_TEST_DATABASE_URL;
  const own = given === undefined || given === '' ? await startOwn() : undefined;
  const url = own?.url ?? given ?? '';
  process.env.COFFER_TEST_DATABASE_URL = url;
  const prefix = `coffer_test_${process.pid}_${Date.now().toString(36)}`;
  const template = `${prefix}_template`;
  await run(url, `CREATE DATABASE ${template} TEMPLATE template0 ENCODING 'UTF8'`);
  const db = openDatabase({ connection: urlOf(url, template) });
  await migrate(db);
  await db.close();
  project.provide('testPostgres', { url, template, prefix });
  return async () => {
    if (own === undefined) await dropAll(url, prefix);
    else await own.stop();
  };
}

async function startOwn(): Promise<{ url: string; stop: () => Promise<void> }> {
  await removeLeftovers();
  const folder = mkdtempSync(join(tmpdir(), FOLDER));
  const log = (line: string): void => console.error(line);
  const postgres = await startPrivatePostgres({
    dataDirectory: folder,
    log,
    settings: { max_connections: '200' },
  });
  const stop = async (): Promise<void> => {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { url: postgres.url, stop };
}

/** A run that was killed left its PostgreSQL. */
async function removeLeftovers(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(FOLDER))) {
    const folder = join(tmpdir(), name);
    const owner = readOwner(join(folder, 'coffer.pid'));
    if (owner === undefined || isAlive(owner) || statSync(folder).uid !== process.geteuid?.()) continue;
    await sweep(join(folder, 'postgres'), () => {});
    rmSync(folder, { recursive: true, force: true });
  }
}

async function dropAll(url: string, prefix: string): Promise<void> {
  const names = await run(url, `SELECT datname FROM pg_database WHERE starts_with(datname, '${prefix}')`);
  for (const { datname } of names) await run(url, `DROP DATABASE ${datname} WITH (FORCE)`);
}

async function run(url: string, statement: string): Promise<{ datname: string }[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<{ datname: string }>(statement)).rows;
  } finally {
    await client.end();
  }
}
