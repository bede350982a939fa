import type { Logger } from 'pino';
import type { Db } from '../db/open.ts';
import { CofferError } from '../errors.ts';
import type { CryptoBackend } from '../keyring/backend.ts';
import type { Keyring } from '../keyring/keyring.ts';
import { activeMasterKey } from '../keyring/store-master-keys.ts';
import { countKeksUnder } from './kek-queries.ts';
import { readSystem } from './master-key-rotation.ts';

interface ReloadParts {
  db: Db;
  keyring: Keyring;
  log: Logger;
}

async function reloadMasterKeys(parts: ReloadParts): Promise<void> {
  const { stores } = parts.keyring;
  for (const store of stores.names) {
    try {
      await reloadStore(parts, stores.get(store));
    } catch (error) {
      // Nothing of a keyring's content is in these messages, and those of others are left out.
      const reason = error instanceof CofferError ? error.message : 'unexpected';
      parts.log.error({ store, reason, err: error }, 'a keyring was refused: its keys stay as they were');
    }
  }
}

/**
 * Each call reads the keyring files of all stores again, while everything goes on. A file that cannot be
 * used, or lacks a master key that is needed, is refused: the keys of that store stay as they were.
 */
export function createReload(parts: ReloadParts): () => void {
  let last = Promise.resolve();
  return () => {
    last = last.then(async () => await reloadMasterKeys(parts));
  };
}

async function reloadStore({ db, keyring, log }: ReloadParts, backend: CryptoBackend): Promise<void> {
  const { stores } = keyring;
  const active = async (): Promise<string> => activeMasterKey(await readSystem({ keyring }), stores, backend);
  const reloaded = await backend.reload(async (ids) => {
    const needed = await countKeksUnder(db, stores.namesOf(backend), ids);
    if (needed === 0 && !ids.includes(await active())) return;
    const names = ids.join(', ');
    throw new CofferError('configuration', `The file lacks ${names}: in use, or needed by ${needed} KEKs.`);
  });
  if (reloaded === undefined) return;
  const { added, removed, ids } = reloaded;
  log.info({ store: backend.store, added, removed, masterKeys: ids }, 'a keyring was read again');
  const inUse = await active().catch((error: unknown) => {
    const message = 'a keyring was read again; whether it has the master key in use could not be seen';
    log.error({ store: backend.store, err: error }, message);
  });
  if (inUse !== undefined && !ids.includes(inUse))
    log.warn({ store: backend.store, inUse }, 'a keyring lacks the master key in use');
}
