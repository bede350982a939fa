import { type Coffer, CofferError, findSecretId, type Secret } from '../client/index.ts';
import type { Fields } from './output.ts';
import { printable } from './output.ts';

/** What a person calls a secret: its id, and its name when that is known. */
export interface Found {
  id: string;
  name: string | null;
}

/** Characters that a name filter may read otherwise than as themselves; any one character stands for them. */
const ambiguous = /[%_+\\]/g;

/** By id or reference, else the only secret of exactly this name; names are not unique. */
export async function findSecret(coffer: Coffer, text: string): Promise<Found> {
  const id = findSecretId(text);
  if (id !== undefined) return { id, name: null };
  // the server strips names when it stores them
  const name = text.trim();
  const named: Secret[] = [];
  for await (const secret of coffer.secrets.list({ name: name.replace(ambiguous, '_') })) {
    if (secret.name === name) named.push(secret);
  }
  const [only, another] = named;
  if (only === undefined) {
    throw new CofferError('not_found', `no secret is named ${printable(text)}; see coffer secret list`);
  }
  if (another !== undefined) {
    const ids = named.slice(0, 5).map((secret) => secret.id);
    const more = named.length > ids.length ? ', …' : '';
    throw new CofferError(
      'conflict',
      `${named.length} secrets are named ${printable(text)}; use an id: ${ids.join(', ')}${more}`,
    );
  }
  return only;
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
