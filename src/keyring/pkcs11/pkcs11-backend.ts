import { KEY_BYTES, SUITES } from '../../crypto/envelope.ts';
import { CofferError } from '../../errors.ts';
import type { CryptoBackend, KekObjects, OpenKek } from '../backend.ts';
import { ID_RULE, isMasterKeyId } from '../master-keys.ts';
import { openSoftwareKek } from '../software-kek.ts';
import { KEK_LABEL } from './messages.ts';
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
  const cached: Pick<CryptoBackend, 'createKek' | 'openKek'> = {
    createKek: async (id, context) => {
      const { key, wrapped } = await client.call('makeKek', { masterKey: id, context });
      return { wrapped, kek: openSoftwareKek(key) };
    },
    openKek: async (id, wrapped, context) =>
      openSoftwareKek(await client.call('openKek', { masterKey: id, wrapped, context })),
  };
  const strict: typeof cached = {
    createKek: async (id, context) => {
      const { objectId, wrapped } = await client.call('makeTokenKek', { masterKey: id, context });
      return { wrapped, kek: openTokenKek(objectId) };
    },
    openKek: async (id, wrapped, context) =>
      openTokenKek(await client.call('openTokenKek', { masterKey: id, wrapped, context })),
  };
  return {
    store,
    counted: { masterKeys: true, keks: mode === 'strict' },
    ...(mode === 'strict' ? { wrapsAtOnce: 2 * client.sessions } : {}),
    objects: createKekObjects(client),
    activeMasterKeyId: () => masterKey,
    ...(mode === 'strict' ? strict : cached),
    // The mode is that of keys to be made: what there is may be of the other one.
    destroyKek: async (id, wrapped, context) => {
      if (wrapped[0] !== SUITES.tokenKeyReference) return false;
      await client.call('destroyTokenKek', { masterKey: id, wrapped, context });
      return true;
    },
    rewrapKek: async (wrapped, from, to) => await client.call('rewrapKek', { from, wrapped, to }),
    listMasterKeys: async () => await client.call('listMasterKeys', null),
    addMasterKey: async (id) => {
      if (!isMasterKeyId(id)) throw new CofferError('bad_request', `It cannot have this id: ${ID_RULE}.`);
      await makeMasterKey(client, id);
    },
    removeMasterKey: async (id) => {
      await client.call('destroyMasterKey', { label: id });
    },
    // Its keys are found by their labels, each time that a process of the token begins.
    reload: async () => undefined,
    checkHealth: async (masterKeyId = masterKey) => {
      await client.call('check', { masterKey: masterKeyId });
    },
    close: () => client.close(),
  };
}

/**
 * Makes a master key in a token, AES-256, sensitive, never extractable, and tries it.
 *
 * @throws CofferError `conflict` for a label that is taken.
 */
export async function makeMasterKey(client: TokenClient, label: string): Promise<void> {
  if (label === KEK_LABEL) throw new CofferError('bad_request', `KEKs are labelled '${KEK_LABEL}'.`);
  await client.call('makeMasterKey', { label });
  await client.call('check', { masterKey: label });
}

function createKekObjects(client: TokenClient): KekObjects {
  return {
    list: async () => (await client.call('listTokenKeks', {})).map((id) => Buffer.from(id).toString('hex')),
    idOf: async (id, wrapped, context) => {
      if (wrapped[0] !== SUITES.tokenKeyReference) return undefined;
      const objectId = await client.call('readReference', { masterKey: id, wrapped, context });
      return Buffer.from(objectId).toString('hex');
    },
    destroy: async (id) => {
      await client.call('destroyObject', { objectId: Buffer.from(id, 'hex') });
    },
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
