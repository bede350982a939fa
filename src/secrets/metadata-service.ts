import type { Caller } from '../policy/actor.ts';
import type { Coffer } from '../coffer.ts';
import type { SecretRow } from '../db/schema.ts';
import { updateRow } from '../db/sealed.ts';
import { operate } from '../operation.ts';
import * as edit from './metadata.ts';
import type { Metadatum, UserMetadata } from './metadata.ts';
import { onSecret } from './service.ts';
import { decodeUserMetadata, encodeUserMetadata } from './user-metadata.ts';

export async function getMetadata(coffer: Coffer, caller: Caller, id: string): Promise<UserMetadata> {
  return await operate(coffer, caller, {
    ...onSecret(coffer, id, 'secret_meta:get', 'Secret metadata retrieval'),
    run: async (secret) => decodeUserMetadata(secret.user_metadata),
  });
}

/** Replaces the whole set. */
export async function putMetadata(
  coffer: Coffer,
  caller: Caller,
  id: string,
  readBody: () => Promise<unknown>,
): Promise<void> {
  await operate(coffer, caller, {
    ...onSecret(coffer, id, 'secret_meta:put', 'Secret metadata creation'),
    run: async (secret) => await writeMetadata(coffer, secret, edit.parseMetadata(await readBody())),
  });
}

/** @throws CofferError `conflict` when the key is there. */
export async function addMetadatum(
  coffer: Coffer,
  caller: Caller,
  id: string,
  readBody: () => Promise<unknown>,
): Promise<Metadatum> {
  return await operate(coffer, caller, {
    ...onSecret(coffer, id, 'secret_meta:post', 'Secret metadatum creation'),
    run: async (secret) => {
      const added = edit.parseMetadatum(await readBody());
      await writeMetadata(coffer, secret, edit.addMetadatum(decodeUserMetadata(secret.user_metadata), added));
      return added;
    },
  });
}

export async function getMetadatum(
  coffer: Coffer,
  caller: Caller,
  id: string,
  key: string,
): Promise<Metadatum> {
  return await operate(coffer, caller, {
    ...onSecret(coffer, id, 'secret_meta:get', 'Secret metadatum retrieval'),
    run: async (secret) => edit.getMetadatum(decodeUserMetadata(secret.user_metadata), key),
  });
}

export async function putMetadatum(
  coffer: Coffer,
  caller: Caller,
  id: string,
  key: string,
  readBody: () => Promise<unknown>,
): Promise<Metadatum> {
  return await operate(coffer, caller, {
    ...onSecret(coffer, id, 'secret_meta:put', 'Secret metadatum update'),
    run: async (secret) => {
      const changed = edit.parseMetadatum(await readBody());
      const metadata = decodeUserMetadata(secret.user_metadata);
      await writeMetadata(coffer, secret, edit.changeMetadatum(metadata, key, changed));
      return changed;
    },
  });
}

/** Idempotent: a key that is not there is gone. */
export async function removeMetadatum(
  coffer: Coffer,
  caller: Caller,
  id: string,
  key: string,
): Promise<void> {
  await operate(coffer, caller, {
    ...onSecret(coffer, id, 'secret_meta:delete', 'Secret metadatum removal'),
    run: async (secret) => {
      const metadata = decodeUserMetadata(secret.user_metadata);
      const left = edit.removeMetadatum(metadata, key);
      if (left !== metadata) await writeMetadata(coffer, secret, left);
    },
  });
}

async function writeMetadata(coffer: Coffer, secret: SecretRow, metadata: UserMetadata): Promise<void> {
  const changes = { user_metadata: encodeUserMetadata(metadata), updated: coffer.clock.now() };
  await updateRow(coffer.db, coffer.keyring, 'secrets', secret, changes);
}
