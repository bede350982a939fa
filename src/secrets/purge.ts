import type { Coffer } from '../coffer.ts';
import { openRow, StaleRow } from '../db/sealed.ts';
import type { SecretRow } from '../db/schema.ts';
import { CofferError, ProjectGone, StoreAway } from '../errors.ts';
import { type EndedSecret, listEndedSecrets } from './queries.ts';
import { removeSecret } from './service.ts';

const BATCH = 100;

/**
 * Destroys secrets that ended `afterSeconds` ago by the database's clock, a batch a call; 0 keeps them. A row
 * that does not verify is left, and counted once a pass; one whose store is away waits for a later pass.
 */
export function createSecretPurge(
  coffer: Coffer,
  afterSeconds: number,
  countPurged: () => void,
): (signal: AbortSignal) => Promise<'more' | 'done'> {
  let last: EndedSecret | undefined;
  let away = 0;
  return async (signal) => {
    if (afterSeconds === 0) return 'done';
    const rows = await listEndedSecrets(coffer.db, afterSeconds, last, BATCH);
    for (const row of rows) {
      if (signal.aborted) return 'done';
      const outcome = await purgeSecret(coffer, row);
      if (outcome === 'purged') countPurged();
      if (outcome === 'away') away += 1;
      last = row;
    }
    if (rows.length === BATCH) return 'more';
    if (away > 0)
      coffer.log.warn({ secrets: away }, 'ended secrets are kept while their secret store is away');
    [last, away] = [undefined, 0];
    return 'done';
  };
}

/** `left` is a secret that another node destroyed first, and a row that is not ours. */
async function purgeSecret(coffer: Coffer, row: SecretRow): Promise<'purged' | 'left' | 'away'> {
  try {
    const secret = await openRow(coffer.keyring, 'secrets', { id: row.id }, row);
    await coffer.db.transaction(async (tx) => await removeSecret(tx, secret));
    return 'purged';
  } catch (error) {
    if (error instanceof StoreAway) return 'away';
    if (error instanceof StaleRow || error instanceof ProjectGone) return 'left';
    if (!(error instanceof CofferError && error.code === 'integrity_violation')) throw error;
    coffer.integrityViolations.count('secrets', 'none');
    return 'left';
  }
}
