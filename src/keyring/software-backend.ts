import { generateKey, unwrapKey, wipe, wrapKey } from '../crypto/envelope.ts';
import { CofferError } from '../errors.ts';
import type { CryptoBackend } from './backend.ts';
import { HeldMasterKeys, type HeldOptions } from './held-master-keys.ts';
import type { MasterKeys } from './master-keys.ts';
import { openSoftwareKek } from './software-kek.ts';

/**
 * KEKs wrapped by XChaCha20-Poly1305 under the master keys of a keyring file. Owns `masterKeys` from now on.
 */
export function createSoftwareBackend(
  store: string,
  masterKeys: MasterKeys,
  options: HeldOptions = {},
): CryptoBackend {
  const held = new HeldMasterKeys(masterKeys, options);
  return {
    store,
    activeMasterKeyId: () => held.activeId,
    createKek: async (masterKeyId, context) =>
      await held.use([masterKeyId], (masterKey) => {
        const key = generateKey();
        return { wrapped: wrapKey(masterKey, key, context), kek: openSoftwareKek(key) };
      }),
    openKek: async (masterKeyId, wrapped, context) =>
      await held.use([masterKeyId], (masterKey) => openSoftwareKek(unwrapKey(masterKey, wrapped, context))),
    rewrapKek: async (wrapped, from, to) =>
      await held.use([from.masterKeyId, to.masterKeyId], (old, next) => {
        const key = unwrapKey(old, wrapped, from.context);
        try {
          return wrapKey(next, key, to.context);
        } finally {
          wipe(key);
        }
      }),
    destroyKek: async () => false,
    listMasterKeys: async () => held.ids,
    addMasterKey: async (id) => await held.add(id),
    removeMasterKey: async (id, activeId) => await held.remove(id, activeId),
    reload: async (requireUnneeded) => await held.reload(requireUnneeded),
    checkHealth: async (masterKeyId = held.activeId) => {
      if (await held.has(masterKeyId)) return;
      throw new CofferError('unavailable', 'The master key in use is not in the keyring.');
    },
    close: () => held.close(),
  };
}
