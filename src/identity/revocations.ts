import { openRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { coalesced } from './coalesced.ts';
import { deleteEndedRevocations, deleteOldLoginFailures, listRevokedTokens } from './queries.ts';
import type { IdentityParts } from './rights.ts';

export interface Revocations {
  /** @throws CofferError `unavailable` when the list could not be read for 10 s: then nobody is let in. */
  isRevoked(jti: string): boolean;
  /** One that this server just wrote. */
  add(jti: string, ends: Date): void;
  refresh(): Promise<void>;
}

const STALE_AFTER_MS = 10_000;
const DAY_MS = 24 * 60 * 60_000;
/**
 * Between, only what is new is read: whoever revokes token after token must not make every reading longer.
 */
const WHOLE_EVERY_MS = 60_000;
/**
 * How far the clock of the server that revoked may be behind the database's for the next reading to see it.
 */
const SKEW_SECONDS = 300;

/**
 * Single tokens revoked before their end. Only ever added to: a row that goes from the database changes
 * nothing.
 */
export async function openRevocations(parts: IdentityParts): Promise<Revocations> {
  const ends = new Map<string, number>();
  let readAt = 0;
  let wholeReadAt = Number.NEGATIVE_INFINITY;

  const read = async (): Promise<void> => {
    const started = performance.now();
    const isWhole = started - wholeReadAt >= WHOLE_EVERY_MS;
    const seconds = isWhole ? null : (started - readAt) / 1000 + SKEW_SECONDS;
    for (const row of await listRevokedTokens(parts.db, seconds)) {
      if (ends.has(row.id)) continue;
      await openRow(parts.keyring, 'revoked_tokens', {}, row);
      ends.set(row.id, row.expires.getTime());
    }
    readAt = started;
    if (!isWhole) return;
    wholeReadAt = started;
    // One that ended is still described to who asks for such, for a day.
    const past = parts.clock.now().getTime() - DAY_MS;
    for (const [jti, end] of ends) if (end < past) ends.delete(jti);
    await deleteEndedRevocations(parts.db);
    await deleteOldLoginFailures(parts.db);
  };
  const refresh = coalesced(read);
  await refresh();

  return {
    isRevoked: (jti) => {
      if (performance.now() - readAt > STALE_AFTER_MS) {
        throw new CofferError('unavailable', 'The list of revoked tokens is not current; try again.');
      }
      return ends.has(jti);
    },
    add: (jti, expires) => {
      ends.set(jti, expires.getTime());
    },
    refresh,
  };
}
