import { issuedAt, type TokenClaims } from './claims.ts';

/**
 * How far the clocks of servers may differ: what a server gave whose clock is ahead ends too. New tokens are
 * dated past it, so long ahead at most.
 */
const CLOCKS_DIFFER_MS = 1_000;

/**
 * A new `tokens_valid_from`, for the row of a user, a project or an application credential: all tokens given
 * before `now` are from before it, and new ones are not. `previous` is what stood there until now.
 */
export function nextValidFrom(now: Date, previous: Date | null): Date {
  return new Date(Math.max(now.getTime() + CLOCKS_DIFFER_MS, (previous?.getTime() ?? 0) + 1));
}

/** Whether a token is from before the `tokens_valid_from` of a row. */
export function isFromBefore(claims: TokenClaims, validFrom: Date | null): boolean {
  return validFrom !== null && issuedAt(claims) < validFrom.getTime();
}
