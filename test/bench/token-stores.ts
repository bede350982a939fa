import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { bootstrapAdministrator } from '../../src/bootstrap.ts';
import { type Config, loadConfig } from '../../src/config.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openDatabase } from '../../src/db/open.ts';
import { openInstallation } from '../../src/installation.ts';
import { createKeyringFile } from '../../src/keyring/keyring-file.ts';
import { connect, hasSoftHsm, startSoftHsm } from '../hsm/soft-token.ts';
import { requestBytes } from './load.ts';
import { logIn, readPassword, waitUntilReady } from './servers.ts';

export interface StoreScenario {
  name: string;
  port: number;
  next: () => Buffer;
}

export interface TokenStores {
  /** Keys in a file, in a token with KEKs held open, and in a token that every DEK passes through. */
  scenarios: readonly [StoreScenario, ...StoreScenario[]];
  stop(): Promise<void>;
}

const FIRST_PORT = 19_393;
const SECRETS = 1_000;
const MASTER_KEY = 'coffer-mk-1';

/** A server for each place of keys, each with a database of its own beside that of `config`. */
export async function startTokenStores(config: Config): Promise<TokenStores | undefined> {
  if (!hasSoftHsm()) return undefined;
  const hsm = await startSoftHsm();
  const { pinFile } = await hsm.makeToken('coffer');
  const client = connect(hsm, 'coffer', pinFile);
  await client.call('makeMasterKey', { label: MASTER_KEY });
  client.close();
  const token = {
    COFFER_STORES: 'hsm=pkcs11',
    COFFER_PKCS11_MODULE: hsm.module,
    COFFER_PKCS11_PIN_FILE: pinFile,
    SOFTHSM2_CONF: process.env['SOFTHSM2_CONF'] ?? '',
  };
  const places: [string, Record<string, string>][] = [
    ['software', {}],
    ['token, cached', { ...token, COFFER_PKCS11_MODE: 'cached' }],
    ['token, strict', { ...token, COFFER_PKCS11_MODE: 'strict' }],
  ];
  const children: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const child of children) {
      if (child.exitCode === null && child.kill()) await once(child, 'exit');
    }
    await hsm.remove();
  };
  try {
    const scenarios: StoreScenario[] = [];
    for (const [index, [name, env]] of places.entries()) {
      const folder = join(dirname(config.keyringFile), `stores-${index}`);
      const port = FIRST_PORT + index;
      const next = await startStore(config, { folder, port, env, onStart: (child) => children.push(child) });
      scenarios.push({ name, port, next });
    }
    return { scenarios: scenarios as [StoreScenario, ...StoreScenario[]], stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface StorePlace {
  folder: string;
  port: number;
  env: Record<string, string>;
  onStart: (child: ChildProcess) => void;
}

async function startStore(
  beside: Config,
  { folder, port, env: more, onStart }: StorePlace,
): Promise<() => Buffer> {
  await mkdir(folder);
  const env = {
    COFFER_DATABASE_URL: await makeDatabase(beside, `stores_${port}`),
    COFFER_KEYRING_FILE: join(folder, 'keys'),
    COFFER_DATA_DIR: join(folder, 'coffer'),
    COFFER_LISTEN: `127.0.0.1:${port}`,
    ...more,
  };
  const { config } = loadConfig({ flags: {}, env, cwd: folder });
  const isToken = config.pkcs11 !== undefined;
  await createKeyringFile(config.installationFile, isToken ? null : MASTER_KEY);
  const options = { purpose: 'command', createMissing: false, allowEmpty: true, say: () => {} } as const;
  const installation = await openInstallation(config, options);
  await bootstrapAdministrator(config, installation);
  await installation.close();
  const child = spawn(process.execPath, ['dist/coffer.js', 'serve'], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  onStart(child);
  await waitUntilReady(child, port);
  const auth = {
    'x-auth-token': await logIn(port, 'admin', await readPassword(join(config.dataDir, 'admin-openrc'))),
  };
  const ids = await storeSecrets(port, auth);
  return () => {
    const id = ids[Math.floor(Math.random() * ids.length)];
    return requestBytes('GET', `/v1/secrets/${id}/payload`, { ...auth, accept: 'text/plain' });
  };
}

async function makeDatabase({ databaseUrl = '' }: Config, name: string): Promise<string> {
  const server = openDatabase({ connection: databaseUrl });
  await server.query({ text: `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'` });
  await server.close();
  const url = new URL(databaseUrl);
  url.pathname = `/${name}`;
  const db = openDatabase({ connection: url.href });
  await migrate(db);
  await db.close();
  return url.href;
}

async function storeSecrets(port: number, auth: Record<string, string>): Promise<string[]> {
  const store = async (): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/secrets`, {
      method: 'POST',
      headers: { ...auth, 'content-type': 'application/json' },
      body: JSON.stringify({ payload: 'x'.repeat(32), payload_content_type: 'text/plain' }),
    });
    if (!answer.ok) throw new Error(`a secret was not stored: ${answer.status} ${await answer.text()}`);
    return ((await answer.json()) as { secret_ref: string }).secret_ref.slice(-36);
  };
  // The first makes the project's KEK, which would be made by each of those that come at once.
  const ids = [await store()];
  while (ids.length < SECRETS) ids.push(...(await Promise.all(Array.from({ length: 50 }, store))));
  return ids;
}
