import { isIPv6 } from 'node:net';
import { recordLogin } from '../audit/record.ts';
import type { Coffer } from '../coffer.ts';
import { CofferError } from '../errors.ts';
import type { TokenClaims } from './claims.ts';

/** Where a log-in comes from. */
export interface LoginOrigin {
  /** The peer's address; of a proxy, where there is one. */
  source: string;
  requestId: string;
}

/** A log-in on its way, as far as it is known whose it is. */
export interface LoginAttempt extends LoginOrigin {
  method: string;
  userId: string | null;
  /** The application credential, where it is known. */
  applicationId: string | null;
  isHeld: boolean;
  workload?: { issuer: string; subject: string };
}

export function startAttempt({ source, requestId }: LoginOrigin, method: string): LoginAttempt {
  return { source, requestId, method, userId: null, applicationId: null, isHeld: false };
}

/** Does a log-in and reports how it ended, unless it ended in something else than a yes or no. */
export async function recordedLogin<T extends { claims: TokenClaims }>(
  { log }: Pick<Coffer, 'log'>,
  origin: LoginOrigin,
  method: string,
  logIn: (attempt: LoginAttempt) => Promise<T>,
): Promise<T> {
  const attempt = startAttempt(origin, method);
  const record = (claims: TokenClaims | null): void => {
    const { prj: projectId = null, jti: tokenId = null } = claims ?? {};
    recordLogin(log, { ...attempt, allowed: claims !== null, projectId, tokenId });
  };
  try {
    const issued = await logIn(attempt);
    attempt.userId = issued.claims.sub;
    attempt.applicationId = issued.claims.app ?? null;
    record(issued.claims);
    return issued;
  } catch (error) {
    if (error instanceof CofferError && (error.code === 'unauthorized' || error.code === 'forbidden'))
      record(null);
    throw error;
  }
}

/** What counts as one source: an IPv4 address, or the /64 that a site has of IPv6. */
export function countedSource(address: string): string {
  const plain = address.replace(/^::ffff:(?=[\d.]+$)/i, '').replace(/%.*$/, '');
  if (!isIPv6(plain)) return plain;
  const [head = [], tail] = plain.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const zeros = tail === undefined ? 0 : 8 - head.length - tail.length;
  const groups = [...head, ...Array<string>(Math.max(zeros, 0)).fill('0'), ...(tail ?? [])];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
