import { existsSync } from 'node:fs';
import { wipe } from '../crypto/envelope.ts';
import { CofferError } from '../errors.ts';
import type { CryptoBackend } from './backend.ts';
import {
  createKeyringFile,
  keyringFileAt,
  type KeyringPlace,
  readInstallationId,
  readKeyring,
} from './keyring-file.ts';
import type { KeyringLog } from './held-master-keys.ts';
import type { MasterKeys } from './master-keys.ts';
import { createSoftwareBackend } from './software-backend.ts';
import { findSplitKeyring, splitKeyringAt } from './split-file.ts';
import type { SplitKeyring, WrappingKeys } from './split-keyring.ts';
import { createStores, type Stores } from './stores.ts';

/** A store as the configuration names it. */
export type StoreSource =
  | {
      name: string;
      kind: 'software';
      file: string;
      /** Where the file will be once a new installation is whole. */
      settledFile?: string;
    }
  | { name: string; kind: 'pkcs11' };

export interface StoreOpening {
  /** The keyring file whose installation all stores are of. */
  installationFile: string;
  /** Makes the files of other stores that are not there, each with a master key of this id. */
  missingKeyId?: string | undefined;
  openToken: (store: string) => CryptoBackend;
  /** Gets the keys of split keyrings from those who hold the shares. Owned by the stores from then on. */
  unseal: (keyrings: readonly SplitKeyring[]) => Promise<WrappingKeys>;
  /** Hears of master keys that were picked up while others used them already. */
  log: KeyringLog;
}

/**
 * Opens the stores of an installation, whose id is bound into every key, whichever store holds it.
 *
 * @throws CofferError `configuration` for a file that cannot be used, or is of another installation.
 */
export async function openStores(
  sources: readonly StoreSource[],
  { installationFile, missingKeyId, openToken, unseal, log }: StoreOpening,
): Promise<{ installationId: Uint8Array; stores: Stores }> {
  const installationId = await readInstallationId(installationFile);
  const backends: CryptoBackend[] = [];
  const split = await findSplit(sources);
  const keys: WrappingKeys = split.size === 0 ? new Map() : await unseal([...split.values()]);
  const placeAt = (file: string): KeyringPlace =>
    split.has(file) ? splitKeyringAt(file, keys) : keyringFileAt(file);
  const close = (): void => {
    for (const backend of backends) backend.close();
    wipe(...keys.values());
  };
  try {
    for (const source of sources) {
      if (source.kind === 'pkcs11') {
        backends.push(openToken(source.name));
        continue;
      }
      if (missingKeyId !== undefined && !existsSync(source.file)) {
        await createKeyringFile(source.file, missingKeyId, installationId);
      }
      const masterKeys = await readKeysOf(installationId, placeAt(source.file), installationFile);
      const place = placeAt(source.settledFile ?? source.file);
      backends.push(createSoftwareBackend(source.name, masterKeys, { place, log }));
    }
    const [first, ...others] = backends;
    if (first === undefined) throw new CofferError('configuration', 'There is no secret store.');
    return { installationId, stores: { ...createStores([first, ...others]), close } };
  } catch (error) {
    close();
    throw error;
  }
}

async function findSplit(sources: readonly StoreSource[]): Promise<ReadonlyMap<string, SplitKeyring>> {
  const found = new Map<string, SplitKeyring>();
  for (const source of sources) {
    const keyring = source.kind === 'software' ? await findSplitKeyring(source.file) : undefined;
    if (keyring !== undefined) found.set(keyring.path, keyring);
  }
  return found;
}

async function readKeysOf(
  installationId: Uint8Array,
  place: KeyringPlace,
  installationFile: string,
): Promise<MasterKeys> {
  const masterKeys = await readKeyring(place);
  if (Buffer.compare(masterKeys.installationId, installationId) === 0) return masterKeys;
  wipe(...masterKeys.keys.values());
  throw new CofferError(
    'configuration',
    `The keyring ${place.path} is of another installation than ${installationFile}. ` +
      `Make one of the same with: coffer keyring create FILE --installation-of ${installationFile}`,
  );
}
