import { openRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { listRevokedTokens } from './queries.ts';
import type { IdentityParts } from './rights.ts';

export interface Revocations {
  /** @throws CofferError `unavailable` when the list could not be read for 10 s: then nobody is let in. */
  isRevoked(jti: string): boolean;
  /** One that this server just wrote. */
  add(jti: string, ends: Date): void;
  refresh(): Promise<void>;
}

const STALE_AFTER_MS = 10_000;

/** Single tokens revoked before their end. Only ever added to: a row that goes from the database changes nothing. */
export async function openRevocations(parts: IdentityParts): Promise<Revocations> {
  const ends = new Map<string, number>();
  let readAt = 0;

  const refresh = async (): Promise<void> => {
    const started = performance.now();
    for (const row of await listRevokedTokens(parts.db)) {
      if (ends.has(row.id)) continue;
      await openRow(parts.keyring, 'revoked_tokens', {}, row);
      ends.set(row.id, row.expires.getTime());
    }
    const now = parts.clock.now().getTime();
    for (const [jti, end] of ends) if (end < now) ends.delete(jti);
    readAt = started;
  };
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
