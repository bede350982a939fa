import { generateKeyPair, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { wipe } from '../crypto/envelope.ts';
import { IDENTITY_CHANNEL } from '../db/channels.ts';
import { SYSTEM_PROJECT } from '../db/layouts.ts';
import type { Queryable } from '../db/open.ts';
import type { SigningKeyRow } from '../db/schema.ts';
import { insertRow, openRow, sealRow, updateRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { type FoundSigningKey, listSigningKeys } from './queries.ts';
import type { IdentityParts } from './rights.ts';
import { TTL_SECONDS_MAX } from './tokens.ts';

/** One rotation at a time, of all servers and commands. Any number that nothing else locks by. */
const ROTATION_LOCK = 7_204_913;
const MINUTE_MS = 60_000;
const LIFE_MS = 90 * 24 * 60 * MINUTE_MS;
/** Every server, and whoever keeps the published keys, knows a key before it signs. */
const PUBLISHED_FIRST_MS = 5 * MINUTE_MS;
/** What was signed with a key lives as long at most, whatever the clocks. */
const RETIRED_AFTER_MS = TTL_SECONDS_MAX * 1_000 + 5 * MINUTE_MS;

/** The message on the channel of identity that concerns signing keys. */
export const KEYS_CHANGED = 'keys';

export interface Rotation {
  /** A key became known to others: all keys end at once, and with them every token there is. */
  atOnce?: boolean;
  /** Whether to rotate, by the keys that there are once no other rotation runs. */
  isDue?: (rows: readonly FoundSigningKey[]) => boolean;
  publishedFirstMs?: number;
  retiredAfterMs?: number;
}

/**
 * Makes the next signing key: published at once, used after five minutes; then those before it are retired
 * as soon as the longest token of theirs has ended. Gives nothing where it was not due.
 */
export async function rotateSigningKey(
  parts: IdentityParts,
  rotation: Rotation = {},
): Promise<SigningKeyRow | undefined> {
  const { atOnce = false, isDue = () => true } = rotation;
  const { publishedFirstMs = PUBLISHED_FIRST_MS, retiredAfterMs = RETIRED_AFTER_MS } = rotation;
  return await parts.db.transaction(async (tx) => {
    await tx.query({ text: `SELECT pg_advisory_xact_lock(${ROTATION_LOCK})` });
    const before = await listGenuineKeys(parts, tx);
    if (!isDue(before)) return undefined;
    const now = parts.clock.now();
    const isFirst = before.every(({ not_after }) => not_after <= now);
    const used = new Date(now.getTime() + (atOnce || isFirst ? 0 : publishedFirstMs));
    // Past on servers whose clocks are behind too.
    const retired = atOnce ? new Date(now.getTime() - MINUTE_MS) : new Date(used.getTime() + retiredAfterMs);
    const made = await insertKey(parts, tx, now, used);
    for (const row of before) {
      if (row.not_after <= retired) continue;
      await updateRow(tx, parts.keyring, 'signing_keys', row, { not_after: retired, updated: now });
    }
    await tx.query({ text: `NOTIFY ${IDENTITY_CHANNEL}, '${KEYS_CHANGED}'` });
    return made;
  });
}

/** The keys that verify, will, or did of late, as their rows have it; a broken row is left out. */
export async function listGenuineKeys(
  { keyring }: Pick<IdentityParts, 'keyring'>,
  db: Queryable,
): Promise<FoundSigningKey[]> {
  const opened = (await listSigningKeys(db)).map(async (row) => {
    try {
      await openRow(keyring, 'signing_keys', {}, row);
      return [row];
    } catch (error) {
      if (error instanceof CofferError && error.code === 'integrity_violation') return [];
      throw error;
    }
  });
  return (await Promise.all(opened)).flat();
}

async function insertKey(
  { keyring }: IdentityParts,
  tx: Queryable,
  now: Date,
  used: Date,
): Promise<SigningKeyRow> {
  const id = randomUUID();
  const pair = await promisify(generateKeyPair)('ed25519');
  const der = pair.privateKey.export({ type: 'pkcs8', format: 'der' });
  try {
    const system = await keyring.findProject(SYSTEM_PROJECT);
    if (system === undefined) throw new CofferError('integrity_violation', 'Integrity Violation');
    const { payload_body, ...columns } = await keyring.seal('signing-key', system, id, der);
    const row = await sealRow(keyring, 'signing_keys', {
      id,
      algorithm: 'EdDSA',
      public_key: pair.publicKey.export({ type: 'spki', format: 'der' }),
      ...columns,
      not_before: used,
      not_after: new Date(now.getTime() + LIFE_MS),
      created: now,
      updated: now,
      revision: 1n,
    });
    await insertRow(tx, 'signing_keys', row, { unsealed: { payload_body } });
    return row;
  } finally {
    wipe(der);
  }
}
