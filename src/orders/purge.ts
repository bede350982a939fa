import type { Coffer } from '../coffer.ts';
import type { OrderRow } from '../db/schema.ts';
import { deleteRow, openRow, StaleRow } from '../db/sealed.ts';
import { CofferError, ProjectGone } from '../errors.ts';
import { forgetTurns } from './lease-queries.ts';
import { listFinishedOrders } from './queries.ts';

const BATCH = 100;
const TURNS_KEPT_SECONDS = 86_400;

/**
 * Destroys orders that were finished `afterSeconds` ago by the database's clock, a batch a call; 0 keeps
 * them. What they made stays. A row that does not verify is left, and counted once a pass.
 */
export function createOrderPurge(
  coffer: Coffer,
  afterSeconds: number,
  countPurged: () => void,
): (signal: AbortSignal) => Promise<'more' | 'done'> {
  let last: OrderRow | undefined;
  return async (signal) => {
    if (last === undefined) await forgetTurns(coffer.db, TURNS_KEPT_SECONDS);
    if (afterSeconds === 0) return 'done';
    const rows = await listFinishedOrders(coffer.db, afterSeconds, last, BATCH);
    for (const row of rows) {
      if (signal.aborted) return 'done';
      if (await purgeOrder(coffer, row)) countPurged();
      last = row;
    }
    if (rows.length === BATCH) return 'more';
    last = undefined;
    return 'done';
  };
}

/** False for an order that another node or its owner deleted first, and for a row that is not ours. */
async function purgeOrder(coffer: Coffer, row: OrderRow): Promise<boolean> {
  try {
    const order = await openRow(coffer.keyring, 'orders', { id: row.id }, row);
    await deleteRow(coffer.db, 'orders', order);
    return true;
  } catch (error) {
    if (error instanceof StaleRow || error instanceof ProjectGone) return false;
    if (!(error instanceof CofferError && error.code === 'integrity_violation')) throw error;
    coffer.integrityViolations.count('orders', 'none');
    return false;
  }
}
