import type { ProjectRow, UserRow } from '../db/schema.ts';
import { StaleRow, updateRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { IDENTITY_CHANNEL } from './administration.ts';
import { issuedAt, type TokenClaims } from './claims.ts';
import { type IdentityParts, readUser } from './rights.ts';

/**
 * How far the clocks of servers may differ: a token of a server whose clock is ahead ends too. New tokens are
 * dated past the cut-off, at most so long ahead.
 */
const CLOCKS_DIFFER_MS = 1_000;
const ATTEMPTS_MAX = 5;

/**
 * A new `tokens_valid_from`: every token given until now is from before it, and new ones live. It goes into
 * the row of the user, project or application credential whose tokens are to end.
 */
export function cutOff(now: Date, previous: Date | null): Date {
  return new Date(Math.max(now.getTime() + CLOCKS_DIFFER_MS, (previous?.getTime() ?? 0) + 1));
}

/** Whether a token is from before the `tokens_valid_from` of a row. */
export function isCutOff(claims: TokenClaims, validFrom: Date | null): boolean {
  return validFrom !== null && issuedAt(claims) < validFrom.getTime();
}

/** Ends all tokens of a user on every server within 5 s. @throws CofferError `not_found`. */
export async function endTokensOfUser(parts: IdentityParts, userId: string): Promise<UserRow> {
  const { db, keyring, clock } = parts;
  return await untilCurrent(async () => {
    const known = await readUser(parts, userId, null);
    if (known === undefined) throw new CofferError('not_found', 'There is no such user.');
    const now = clock.now();
    const changes = { tokens_valid_from: cutOff(now, known.user.tokens_valid_from), updated: now };
    return await db.transaction(async (tx) => {
      const user = await updateRow(tx, keyring, 'users', known.user, changes);
      await tx.query({ text: `NOTIFY ${IDENTITY_CHANNEL}` });
      return user;
    });
  });
}

/** Ends all tokens for a project on every server within 5 s. `find` reads its row anew. */
export async function endTokensOfProject(
  { db, keyring, clock }: IdentityParts,
  find: () => Promise<ProjectRow>,
): Promise<ProjectRow> {
  return await untilCurrent(async () => {
    const found = await find();
    const now = clock.now();
    const changes = { tokens_valid_from: cutOff(now, found.tokens_valid_from), updated: now };
    return await db.transaction(async (tx) => {
      const project = await updateRow(tx, keyring, 'projects', found, changes);
      await tx.query({ text: `NOTIFY ${IDENTITY_CHANNEL}` });
      return project;
    });
  });
}

async function untilCurrent<T>(change: () => Promise<T>): Promise<T> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    try {
      return await change();
    } catch (error) {
      if (!(error instanceof StaleRow)) throw error;
    }
  }
  throw new CofferError('unavailable', 'It is being changed by others; try again.', { retryAfterSeconds: 1 });
}
