import type { SecretRow } from '../db/schema.ts';
import { refTo } from '../http/refs.ts';
import { formatTimestamp } from '../http/timestamps.ts';

export type WireSecret = Record<string, unknown>;

/** Clients build their object from exactly these keys: one that they do not know is an error to them. */
export function formatSecret(
  secret: SecretRow,
  { publicUrl, consumers }: { publicUrl: string; consumers: readonly object[] | null },
): WireSecret {
  return {
    created: formatTimestamp(secret.created),
    updated: formatTimestamp(secret.updated),
    status: secret.status,
    name: secret.name,
    secret_type: secret.secret_type,
    expiration: secret.expiration && formatTimestamp(secret.expiration),
    algorithm: secret.algorithm,
    bit_length: secret.bit_length === null ? null : Number(secret.bit_length),
    mode: secret.mode,
    creator_id: secret.creator_id,
    ...(consumers === null ? {} : { consumers }),
    ...(secret.content_type === null ? {} : { content_types: { default: secret.content_type } }),
    secret_ref: refTo(publicUrl, 'secrets', secret.id),
  };
}
