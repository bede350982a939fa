import { generateKey, unwrapKey, wipe, wrapKey } from '../crypto/envelope.ts';
import { CofferError } from '../errors.ts';
import type { CryptoBackend } from './backend.ts';
import type { MasterKeys } from './master-keys.ts';
import { openSoftwareKek } from './software-kek.ts';

/**
 * KEKs wrapped by XChaCha20-Poly1305 under the master keys of a keyring file. Owns `masterKeys` from now on.
 */
export function createSoftwareBackend(store: string, masterKeys: MasterKeys): CryptoBackend {
  const masterKey = (id: string): Uint8Array => {
    const key = masterKeys.keys.get(id);
    if (key === undefined) throw new CofferError('integrity_violation', 'Integrity Violation');
    return key;
  };
  return {
    store,
    activeMasterKeyId: () => masterKeys.activeId,
    createKek: async (masterKeyId, context) => {
      const key = generateKey();
      return { wrapped: wrapKey(masterKey(masterKeyId), key, context), kek: openSoftwareKek(key) };
    },
    openKek: async (masterKeyId, wrapped, context) =>
      openSoftwareKek(unwrapKey(masterKey(masterKeyId), wrapped, context)),
    destroyKek: async () => {},
    checkHealth: async () => {},
    close: () => wipe(...masterKeys.keys.values()),
  };
}
