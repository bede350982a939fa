import { type Coffer, findSecretId, type Secret } from '../client/index.ts';
import { findByName, type Found } from './name-lookup.ts';
import type { Fields } from './output.ts';

/** By id or reference, else the only secret of exactly this name. */
export async function findSecret(coffer: Coffer, text: string): Promise<Found> {
  const id = findSecretId(text);
  if (id !== undefined) return { id, name: null };
  return await findByName('secret', text, (name) => coffer.secrets.list({ name }));
}

/** What is known of a secret, in the wire's names and with times that say their zone. */
export function fieldsOf(secret: Secret): Fields {
  return {
    id: secret.id,
    name: secret.name,
    secret_type: secret.type,
    content_type: secret.contentType ?? null,
    status: secret.status,
    created: secret.created.toISOString(),
    updated: secret.updated.toISOString(),
    expiration: secret.expiration?.toISOString() ?? null,
    algorithm: secret.algorithm,
    bit_length: secret.bitLength,
    mode: secret.mode,
    creator_id: secret.creatorId,
    secret_ref: secret.ref,
  };
}
