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
import { createPasswordHasher } from '../../src/crypto/password.ts';
import { createProject, createUser, getProject, getRole } from '../../src/identity/administration.ts';
import { type Installation, openInstallation } from '../../src/installation.ts';
import { createKeyringFile } from '../../src/keyring/keyring-file.ts';
import { fillProject } from './fill.ts';

export interface Servers {
  /** Of the Coffer that is measured. */
  config: Config;
  cofferPort: number;
  yardstickPort: number;
  /** A token of the administrator, who may everything that is measured. */
  token: string;
  /** A token of a creator in a project with very many secrets. */
  crowdToken: string;
  /** The administrator's. */
  password: string;
  yardstickIds: string[];
  stop(): Promise<void>;
}

const [COFFER_PORT, YARDSTICK_PORT] = [19_391, 19_392];
const YARDSTICK_ROWS = 1_000;
const CROWD = { name: 'crowd', password: 'a crowd of secrets', secrets: 100_000, names: 1_000 };

/** One PostgreSQL; on it a built Coffer and the yardstick, each in a process of its own. */
export async function startServers(): Promise<Servers> {
  const folder = mkdtempSync(join(tmpdir(), 'coffer-bench-'));
  const postgres = await startPrivatePostgres({
    dataDirectory: join(folder, 'data'),
    log: () => {},
    settings: { max_connections: '200' },
  });
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
  await Promise.all([once(yardstick, 'message'), waitUntilReady(coffer, COFFER_PORT)]);
  const password = await readPassword(join(folder, 'coffer', 'admin-openrc'));
  return {
    config,
    cofferPort: COFFER_PORT,
    yardstickPort: YARDSTICK_PORT,
    token: await logIn(COFFER_PORT, 'admin', password),
    password,
    crowdToken: await logIn(COFFER_PORT, CROWD.name, CROWD.password),
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
  await makeCrowd(installation);
  await installation.close();
  return rows.map(({ id }) => id);
}

async function makeCrowd(installation: Installation): Promise<void> {
  const parts = { ...installation, clock: { now: () => new Date() } };
  const { id: projectId } = await createProject(parts, CROWD.name);
  const names = Array.from({ length: CROWD.names }, (_, index) => `name-${index % 10}-${index}`);
  await fillProject(installation, { projectId, count: CROWD.secrets, names });
  const project = await getProject(parts, CROWD.name);
  const grant = {
    scope: { kind: 'project', id: projectId } as const,
    project,
    role: await getRole(parts, 'creator'),
  };
  await createUser(parts, createPasswordHasher(), CROWD.name, CROWD.password, { grants: [grant] });
}

export async function waitUntilReady(child: ChildProcess, port: number): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    const answer = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined);
    if (answer?.ok === true) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function readPassword(openrc: string): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  return /OS_PASSWORD=(\S+)/.exec(await readFile(openrc, 'utf8'))?.[1] ?? '';
}

/** Logs in to the project of the user's own name. */
export async function logIn(port: number, name: string, password: string): Promise<string> {
  const domain = { name: 'Default' };
  const identity = { methods: ['password'], password: { user: { name, password, domain } } };
  const answer = await fetch(`http://127.0.0.1:${port}/identity/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity, scope: { project: { name, domain } } } }),
  });
  const token = answer.headers.get('x-subject-token');
  if (token === null) throw new Error(`log-in failed: ${await answer.text()}`);
  return token;
}
