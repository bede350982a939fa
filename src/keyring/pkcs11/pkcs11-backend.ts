import { KEY_BYTES } from '../../crypto/envelope.ts';
import { CofferError } from '../../errors.ts';
import type { CryptoBackend, OpenKek } from '../backend.ts';
import { openSoftwareKek } from '../software-kek.ts';
import type { TokenClient } from './token-client.ts';

/**
 * `cached`: a KEK is random bytes of the token, encrypted there, and held open in this process. `strict`: a
 * KEK is an object of the token that never leaves it, and every DEK passes through it.
 */
export type Pkcs11Mode = 'cached' | 'strict';

export interface Pkcs11Options {
  store: string;
  mode: Pkcs11Mode;
  /** The label of the master key that new KEKs are wrapped under; others are found by their labels. */
  masterKey: string;
  /** Owned from now on. */
  client: TokenClient;
}

/** KEKs under a master key that is an object of a PKCS#11 token. */
export function createPkcs11Backend({ store, mode, masterKey, client }: Pkcs11Options): CryptoBackend {
  const openTokenKek = (objectId: Uint8Array): OpenKek => createTokenKek(client, objectId);
  const cached: Pick<CryptoBackend, 'createKek' | 'openKek' | 'destroyKek'> = {
    createKek: async (id, context) => {
      const { key, wrapped } = await client.call('makeKek', { masterKey: id, context });
      return { wrapped, kek: openSoftwareKek(key) };
    },
    openKek: async (id, wrapped, context) =>
      openSoftwareKek(await client.call('openKek', { masterKey: id, wrapped, context })),
    destroyKek: async () => {},
  };
  const strict: typeof cached = {
    createKek: async (id, context) => {
      const { objectId, wrapped } = await client.call('makeTokenKek', { masterKey: id, context });
      return { wrapped, kek: openTokenKek(objectId) };
    },
    openKek: async (id, wrapped, context) =>
      openTokenKek(await client.call('openTokenKek', { masterKey: id, wrapped, context })),
    destroyKek: async (id, wrapped, context) => {
      await client.call('destroyTokenKek', { masterKey: id, wrapped, context });
    },
  };
  return {
    store,
    activeMasterKeyId: () => masterKey,
    ...(mode === 'strict' ? strict : cached),
    checkHealth: async () => {
      await client.call('check', { masterKey });
    },
    close: () => client.close(),
  };
}

/** A KEK that stays in the token: each key that it wraps goes there and comes back. */
function createTokenKek(client: TokenClient, objectId: Uint8Array): OpenKek {
  let isClosed = false;
  const requireOpen = (): void => {
    if (isClosed) throw violated();
  };
  return {
    wrap: async (key, context) => {
      requireOpen();
      if (key.length !== KEY_BYTES || key.every((byte) => byte === 0)) throw violated();
      return await client.call('wrap', { objectId, key, context });
    },
    unwrap: async (wrapped, context) => {
      requireOpen();
      return await client.call('unwrap', { objectId, wrapped, context });
    },
    close: () => {
      isClosed = true;
    },
  };
}

function violated(): CofferError {
  return new CofferError('integrity_violation', 'Integrity Violation');
}
