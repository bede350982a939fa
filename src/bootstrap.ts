import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from './config.ts';
import { createPasswordHasher } from './crypto/password.ts';
import { bootstrapIdentity, findAdministrator } from './identity/bootstrap.ts';
import type { Installation } from './installation.ts';

const PASSWORD_BYTES = 24;
/**
 * One bootstrap at a time: of two, one would write its password over that of the administrator who is made.
 */
const BOOTSTRAP_LOCK = 0x636f_6662;

/**
 * Makes the system keys, roles, the project and user `admin`, and `<data>/admin-openrc` with its password.
 * What an interrupted run has made already is kept, so that it can be run again until it is through.
 *
 * @returns the path of the file, or undefined when there was an administrator before.
 */
export async function bootstrapAdministrator(
  config: Config,
  installation: Pick<Installation, 'db' | 'keyring'>,
): Promise<string | undefined> {
  return await installation.db.transaction(async (tx) => {
    await tx.query({ text: `SELECT pg_advisory_xact_lock(${BOOTSTRAP_LOCK})` });
    return await makeAdministrator(config, installation);
  });
}

async function makeAdministrator(
  config: Config,
  { db, keyring }: Pick<Installation, 'db' | 'keyring'>,
): Promise<string | undefined> {
  if (!(await keyring.isBootstrapped())) await db.transaction(async (tx) => await keyring.bootstrap(tx));
  const parts = { db, keyring, clock: { now: () => new Date() } };
  if ((await findAdministrator(parts))?.isComplete === true) return undefined;
  const path = join(config.dataDir, 'admin-openrc');
  await bootstrapIdentity(parts, createPasswordHasher(), async () => {
    const password = randomBytes(PASSWORD_BYTES).toString('base64url');
    // The file comes first: a password that was stored and never written down is lost.
    await writeOpenrc(config, path, password);
    return password;
  });
  return path;
}

async function writeOpenrc(config: Config, path: string, password: string): Promise<void> {
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  const variables = {
    OS_AUTH_URL: `${config.publicUrl}/identity/v3`,
    OS_USERNAME: 'admin',
    OS_PASSWORD: password,
    OS_PROJECT_NAME: 'admin',
    OS_USER_DOMAIN_NAME: 'Default',
    OS_PROJECT_DOMAIN_NAME: 'Default',
    OS_IDENTITY_API_VERSION: '3',
  };
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${quoteForShell(value)}\n`);
  await rm(path, { force: true });
  await writeFile(path, lines.join(''), { mode: 0o600, flag: 'wx', flush: true });
}

function quoteForShell(value: string): string {
  return /^[A-Za-z0-9_.:/@%+-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
