import type { RevisionMemory } from '../../db/revisions.ts';
import type { IssuerRow } from '../../db/schema.ts';
import { CofferError } from '../../errors.ts';

/**
 * Rows that are no older than this server has seen them. An answer that a newer one overtook looks like an
 * older row put back: it is asked for once more.
 */
export async function readNewest(
  memory: RevisionMemory,
  read: () => Promise<readonly IssuerRow[]>,
): Promise<readonly IssuerRow[]> {
  for (let isLast = false; ; isLast = true) {
    const issuers = await read();
    if (!issuers.some((issuer) => memory.isOlder('issuers', issuer))) return issuers;
    if (isLast) throw new CofferError('integrity_violation', 'Integrity Violation');
  }
}
