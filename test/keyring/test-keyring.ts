import { createHash } from 'node:crypto';
import { MIGRATIONS } from '../../migrations/index.ts';
import type { CryptoBackend } from '../../src/keyring/backend.ts';
import type { Db, Queryable } from '../../src/db/open.ts';
import type { ProjectRow } from '../../src/db/schema.ts';
import { insertRow, sealRow } from '../../src/db/sealed.ts';
import { Keyring, type KeyringOptions } from '../../src/keyring/keyring.ts';
import { newProject } from '../../src/keyring/projects.ts';
import type { MasterKeys } from '../../src/keyring/master-keys.ts';
import { createSoftwareBackend } from '../../src/keyring/software-backend.ts';
import { createStores } from '../../src/keyring/stores.ts';

/** The same keyring for each name, as two servers with one file have it. Each record owns its bytes. */
function masterKeysOf(name: string, store = 'software'): MasterKeys {
  const place = store === 'software' ? name : `${name}/${store}`;
  const derive = (what: string): Uint8Array =>
    new Uint8Array(
      createHash('sha256')
        .update(`${what === 'installation' ? name : place}/${what}`)
        .digest(),
    );
  return {
    installationId: derive('installation').subarray(0, 16),
    activeId: 'mk-1',
    keys: new Map([
      ['mk-1', derive('mk-1')],
      ['mk-2', derive('mk-2')],
    ]),
  };
}

export function createTestKeyring(
  db: Db,
  options: Partial<KeyringOptions> & {
    name?: string;
    /** Ids of master keys are the same in all of them. */
    storeNames?: readonly [string, ...string[]];
    wrapBackend?: (backend: CryptoBackend) => CryptoBackend;
  } = {},
): Keyring {
  const {
    name = 'test',
    storeNames = ['software'],
    wrapBackend = (backend: CryptoBackend) => backend,
    ...rest
  } = options;
  const [first, ...others] = storeNames;
  const backendOf = (store: string): CryptoBackend =>
    wrapBackend(createSoftwareBackend(store, masterKeysOf(name, store)));
  return new Keyring({
    db,
    stores: createStores([backendOf(first), ...others.map(backendOf)]),
    installationId: masterKeysOf(name).installationId,
    now: () => performance.now(),
    date: () => new Date(),
    finishedMigration: MIGRATIONS.at(-1)?.number ?? 0,
    ...rest,
  });
}

/** A keyring on a database that has its system project. */
export async function createBootstrappedKeyring(
  db: Db,
  options: Parameters<typeof createTestKeyring>[1] = {},
): Promise<Keyring> {
  const keyring = createTestKeyring(db, options);
  await db.transaction(async (tx) => await keyring.bootstrap(tx));
  return keyring;
}

/** A project as `coffer project create` makes it, before its first secret. */
export async function insertProject(db: Queryable, keyring: Keyring, id: string): Promise<ProjectRow> {
  const columns = { domain_id: 'default', name: id, name_key: id };
  const row = await sealRow(keyring, 'projects', newProject(id, 'local', 1n, new Date(), columns));
  await insertRow(db, 'projects', row);
  return row;
}
