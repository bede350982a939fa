import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootstrapAdministrator } from '../../src/bootstrap.ts';
import { type Config, loadConfig } from '../../src/config.ts';
import { startPrivatePostgres } from '../../src/db/embedded.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openDatabase } from '../../src/db/open.ts';
import { openInstallation } from '../../src/installation.ts';
import { createKeyringFile } from '../../src/keyring/master-keys.ts';

export interface Servers {
  cofferPort: number;
  yardstickPort: number;
  /** A token of the administrator, who may everything that is measured. */
  token: string;
  yardstickIds: string[];
  stop(): Promise<void>;
}

const [COFFER_PORT, YARDSTICK_PORT] = [19_391, 19_392];
const YARDSTICK_ROWS = 1_000;

/** One PostgreSQL; on it a built Coffer and the yardstick, each in a process of its own. */
export async function startServers(): Promise<Servers> {
  const folder = mkdtempSync(join(tmpdir(), 'coffer-bench-'));
  const postgres = await startPrivatePostgres({ dataDirectory: join(folder, 'data'), log: () => {} });
  const env = {
    COFFER_DATABASE_URL: postgres.url,
    COFFER_KEYRING_FILE: join(folder, 'keys'),
    COFFER_DATA_DIR: join(folder, 'coffer'),
    COFFER_LISTEN: `127.0.0.1:${COFFER_PORT}`,
  };
  const { config } = loadConfig({ flags: {}, env, cwd: folder });
  const yardstickIds = await prepare(config);
  const path = { PATH: process.env.PATH ?? '' };
  const coffer = spawn(process.execPath, ['dist/coffer.js', 'serve'], {
    env: { ...path, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const yardstick = fork(join(import.meta.dirname, 'yardstick.js'), {
    env: { ...path, BENCH_DATABASE_URL: postgres.url, BENCH_PORT: String(YARDSTICK_PORT) },
  });
  await Promise.all([once(yardstick, 'message'), waitUntilReady(coffer)]);
  return {
    cofferPort: COFFER_PORT,
    yardstickPort: YARDSTICK_PORT,
    token: await logIn(join(folder, 'coffer', 'admin-openrc')),
    yardstickIds,
    stop: async () => {
      for (const child of [coffer, yardstick]) {
        child.kill();
        await once(child, 'exit');
      }
      await postgres.stop();
    },
  };
}

async function prepare(config: Config): Promise<string[]> {
  await createKeyringFile(config.keyringFile, 'mk-bench');
  const db = openDatabase({ connection: config.databaseUrl ?? '' });
  await migrate(db);
  await db.query({ text: 'CREATE TABLE yardstick (id uuid PRIMARY KEY, payload bytea NOT NULL)' });
  const { rows } = await db.query<{ id: string }>({
    text: `INSERT INTO yardstick SELECT gen_random_uuid(), decode(repeat('ab', 32), 'hex')
      FROM generate_series(1, ${YARDSTICK_ROWS}) RETURNING id`,
  });
  await db.close();
  const opening = { purpose: 'command', createMissing: false, say: () => {} } as const;
  const installation = await openInstallation(config, { ...opening, allowEmpty: true });
  await bootstrapAdministrator(config, installation);
  await installation.close();
  return rows.map(({ id }) => id);
}

async function waitUntilReady(child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    const answer = await fetch(`http://127.0.0.1:${COFFER_PORT}/health/ready`).catch(() => undefined);
    if (answer?.ok === true) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function logIn(openrc: string): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  const password = /OS_PASSWORD=(\S+)/.exec(await readFile(openrc, 'utf8'))?.[1];
  const domain = { name: 'Default' };
  const identity = { methods: ['password'], password: { user: { name: 'admin', password, domain } } };
  const answer = await fetch(`http://127.0.0.1:${COFFER_PORT}/identity/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity, scope: { project: { name: 'admin', domain } } } }),
  });
  const token = answer.headers.get('x-subject-token');
  if (token === null) throw new Error(`log-in failed: ${await answer.text()}`);
  return token;
}
