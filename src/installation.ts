import { existsSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Config } from './config.ts';
import { joinOrStart, type PrivatePostgres, startPrivatePostgres } from './db/embedded.ts';
import { finishMigrations, migrate, readSchemaState, requireSchema } from './db/migrate.ts';
import { type Db, openDatabase } from './db/open.ts';
import { CofferError, StoreAway } from './errors.ts';
import { Keyring } from './keyring/keyring.ts';
import { hasKeyedRows } from './keyring/queries.ts';
import { createKeyringFile } from './keyring/keyring-file.ts';
import { nameMasterKey } from './keyring/master-keys.ts';
import { openStores } from './keyring/open-stores.ts';
import { openToken } from './keyring/pkcs11/open-token.ts';
import type { TokenLog } from './keyring/pkcs11/token-client.ts';
import type { SplitKeyring, WrappingKeys } from './keyring/split-keyring.ts';
import type { Stores } from './keyring/stores.ts';

/** The database and the keys of an installation, open. `close` gives back all that was opened or started. */
export interface Installation {
  db: Db;
  keyring: Keyring;
  /** The private PostgreSQL, when there is no COFFER_DATABASE_URL. */
  postgres: PrivatePostgres | undefined;
  /** A new keyring that `settle` gives its name: the installation is being made. */
  isNew: boolean;
  /** Ends the making of an installation: from now on its keyring is where it belongs. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export interface OpenOptions {
  /** A server claims the data for itself; a command works beside one. */
  purpose: 'server' | 'command';
  /** Make a keyring when there is neither keyring nor data: `npm start` in an empty folder. */
  createMissing: boolean;
  /** Open even without system keys: `coffer bootstrap` makes them. */
  allowEmpty: boolean;
  /** A line about what was done. */
  say: (line: string) => void;
  /** Hears of a token that went or came back; `say` where there is none. */
  log?: TokenLog;
  /** Gives the opening up, in order: it throws the reason. */
  signal?: AbortSignal;
  /** Gets the keys of split keyrings from those who hold their shares. */
  unseal?: (keyrings: readonly SplitKeyring[]) => Promise<WrappingKeys>;
}

/**
 * Opens database and keyring, and checks that they belong together.
 *
 * @throws CofferError `configuration` that says what is wrong and which command mends it.
 */
export async function openInstallation(config: Config, options: OpenOptions): Promise<Installation> {
  const releases: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const release of releases.splice(0).toReversed()) await release();
  };
  try {
    const postgres = await startPostgres(config, options);
    if (postgres !== undefined) releases.push(async () => await postgres.stop());
    const db = openDatabase({
      connection: config.databaseUrl ?? { ...postgres?.connection },
      connectionsMax: config.databasePool,
    });
    releases.push(async () => await db.close());
    const schema = await prepareSchema(db, postgres !== undefined);
    options.signal?.throwIfAborted();
    const keyringFile = await findKeyringFile(config, options, db);
    const keyring = new Keyring({
      db,
      ...(await openConfiguredStores(config, options, keyringFile)),
      // A clock that nobody sets back: what is cached for five seconds is not kept for hours.
      now: () => performance.now(),
      date: () => new Date(),
      finishedMigration: schema.finished,
    });
    releases.push(async () => keyring.close());
    await requireBootstrapped(keyring, config, { ...options, isNew: keyringFile.isNew });
    const settle = async (): Promise<void> => await settleKeyring(keyringFile.path, config.installationFile);
    return { db, keyring, postgres, isNew: keyringFile.isNew, settle, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startPostgres(config: Config, options: OpenOptions): Promise<PrivatePostgres | undefined> {
  if (config.databaseUrl !== undefined) return undefined;
  const start = options.purpose === 'server' ? startPrivatePostgres : joinOrStart;
  return await start({ dataDirectory: config.dataDir, log: options.say, signal: options.signal });
}

/** The private database follows the server; an operator's is migrated by the operator. */
async function prepareSchema(db: Db, isPrivate: boolean): Promise<{ finished: number }> {
  if (isPrivate) {
    requireSchema(await migrate(db));
    return await finishMigrations(db);
  }
  const state = await readSchemaState(db);
  requireSchema(state);
  return state;
}

/**
 * A keyring in the making has another name until the installation is whole, so that a start that was killed
 * half way is taken up by the next one, and a lost keyring is never mistaken for a new installation.
 */
async function findKeyringFile(
  config: Config,
  options: OpenOptions,
  db: Db,
): Promise<{ path: string; isNew: boolean }> {
  const path = config.installationFile;
  if (existsSync(path) || !options.createMissing) return { path, isNew: false };
  const making = `${path}.new`;
  if (existsSync(making)) return { path: making, isNew: true };
  if (await hasKeyedRows(db)) {
    throw new CofferError(
      'configuration',
      `The keyring ${path} is missing, and the database has data that only it opens. Put it back from your copy.`,
    );
  }
  await createKeyringFile(making, nameMasterKey(new Date()));
  return { path: making, isNew: true };
}

/** In a new installation the files of the other stores are made too. */
async function openConfiguredStores(
  { stores, installationFile, pkcs11 }: Config,
  { say, log = { info: say, warn: say, error: say }, unseal = refuseSplit }: OpenOptions,
  { path, isNew }: { path: string; isNew: boolean },
): Promise<{ installationId: Uint8Array; stores: Stores }> {
  // A new keyring has another name until the installation is whole.
  const sources = stores.map((store) =>
    store.kind === 'software' && store.file === installationFile
      ? { ...store, file: path, settledFile: installationFile }
      : store,
  );
  return await openStores(sources, {
    installationFile: path,
    missingKeyId: isNew ? nameMasterKey(new Date()) : undefined,
    log,
    unseal,
    openToken: (name) => {
      if (pkcs11 === undefined) throw new CofferError('configuration', 'COFFER_PKCS11_MODULE is not set.');
      return openToken(name, pkcs11, log);
    },
  });
}

async function refuseSplit([keyring]: readonly SplitKeyring[]): Promise<never> {
  throw new CofferError('configuration', `The keyring ${keyring?.path} is split, and no share was given.`);
}

async function settleKeyring(from: string, to: string): Promise<void> {
  if (from === to) return;
  await rename(from, to);
  const folder = await open(dirname(to), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

const OF_A_TOKEN =
  '; or COFFER_PKCS11_MODE is not the mode that its keys were made in, ' +
  'or it is a backup from before a rotation in strict mode.';

async function requireBootstrapped(
  keyring: Keyring,
  config: Config,
  options: { isNew: boolean; allowEmpty: boolean },
): Promise<void> {
  const isBootstrapped = await keyring.isBootstrapped().catch((error: unknown) => {
    if (error instanceof StoreAway && error.cause === undefined) {
      throw new CofferError(
        'configuration',
        "COFFER_STORES does not name the secret store of the system's keys; the first of an installation is `software`.",
      );
    }
    if (!(error instanceof CofferError && error.code === 'integrity_violation')) throw error;
    throw new CofferError(
      'configuration',
      `The keyring ${config.installationFile} does not open this database: they are not of one installation, or one was altered` +
        (config.pkcs11 === undefined ? '.' : OF_A_TOKEN),
    );
  });
  if (isBootstrapped || options.isNew || options.allowEmpty) return;
  throw new CofferError(
    'configuration',
    'The database holds no system keys, and an emptied database is not a new installation: restore it from a backup. ' +
      'If this installation is new, run: coffer bootstrap',
  );
}
