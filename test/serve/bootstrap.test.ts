import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bootstrapAdministrator } from '../../src/bootstrap.ts';
import { loadConfig } from '../../src/config.ts';
import { createPasswordHasher } from '../../src/crypto/password.ts';
import { getUser } from '../../src/identity/administration.ts';
import { type Installation, openInstallation } from '../../src/installation.ts';
import { createKeyringFile } from '../../src/keyring/keyring-file.ts';
import { createDatabase, type TestDatabase } from '../harness/database.ts';

let folder: string;
let database: TestDatabase;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coffer-bootstrap-'));
  database = await createDatabase();
});
afterEach(async () => {
  await database.drop();
  await rm(folder, { recursive: true });
});

it('makes one administrator, whose password is the one in the file, when several begin at once', async () => {
  const env = {
    COFFER_DATABASE_URL: database.url,
    COFFER_DATABASE_POOL: '4',
    COFFER_KEYRING_FILE: join(folder, 'keys'),
    COFFER_DATA_DIR: join(folder, 'data'),
  };
  const { config } = loadConfig({ flags: {}, env, cwd: folder });
  await createKeyringFile(config.keyringFile, 'mk-test');
  const opening = { purpose: 'command', createMissing: false, allowEmpty: true, say: () => {} } as const;
  const installations: Installation[] = [];
  for (let count = 0; count < 3; count += 1) installations.push(await openInstallation(config, opening));
  try {
    const made = await Promise.all(
      installations.map(async (installation) => await bootstrapAdministrator(config, installation)),
    );
    const openrc = join(config.dataDir, 'admin-openrc');
    expect(made.filter((path) => path !== undefined)).toEqual([openrc]);

    const { db, keyring } = installations[0]!;
    const user = await getUser({ db, keyring, clock: { now: () => new Date() } }, 'admin');
    const password = /OS_PASSWORD=(\S+)/.exec(await readFile(openrc, 'utf8'))?.[1] ?? '';
    expect(await createPasswordHasher().verify(async () => user.password_hash, password)).toBe(true);
  } finally {
    for (const installation of installations) await installation.close();
  }
});
