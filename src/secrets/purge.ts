import type { Coffer } from '../coffer.ts';
import { openRow, StaleRow } from '../db/sealed.ts';
import type { SecretRow } from '../db/schema.ts';
import { CofferError, ProjectGone } from '../errors.ts';
import { type EndedSecret, listEndedSecrets } from './queries.ts';
import { removeSecret } from './service.ts';

const BATCH = 100;

/**
 * Destroys secrets that ended `afterSeconds` ago by the database's clock, a batch a call; 0 keeps them. A row
 * that does not verify is left, and counted once a pass.
 */
export function createSecretPurge(
  coffer: Coffer,
  afterSeconds: number,
  countPurged: () => void,
): (signal: AbortSignal) => Promise<'more' | 'done'> {
  let last: EndedSecret | undefined;
  return async (signal) => {
    if (afterSeconds === 0) return 'done';
    const rows = await listEndedSecrets(coffer.db, afterSeconds, last, BATCH);
    for (const row of rows) {
      if (signal.aborted) return 'done';
      if (await purgeSecret(coffer, row)) countPurged();
      last = row;
    }
    if (rows.length === BATCH) return 'more';
    last = undefined;
    return 'done';
  };
}

/** False for a secret that another node destroyed first, and for a row that is not ours. */
async function purgeSecret(coffer: Coffer, row: SecretRow): Promise<boolean> {
  try {
    const secret = await openRow(coffer.keyring, 'secrets', { id: row.id }, row);
    await coffer.db.transaction(async (tx) => await removeSecret(tx, secret));
    return true;
  } catch (error) {
    if (error instanceof StaleRow || error instanceof ProjectGone) return false;
    if (!(error instanceof CofferError && error.code === 'integrity_violation')) throw error;
    coffer.integrityViolations.count('secrets', 'none');
    return false;
  }
}
