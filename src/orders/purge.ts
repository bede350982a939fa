import type { Coffer } from '../coffer.ts';
import type { OrderRow } from '../db/schema.ts';
import { deleteRow, openRow, StaleRow } from '../db/sealed.ts';
import { CofferError, ProjectGone, StoreAway } from '../errors.ts';
import { forgetTurns } from './lease-queries.ts';
import { listFinishedOrders } from './queries.ts';

const BATCH = 100;
const TURNS_KEPT_SECONDS = 86_400;

/**
 * Destroys orders that were finished `afterSeconds` ago by the database's clock, a batch a call; 0 keeps
 * them. What they made stays. A row that does not verify is left, and counted once a pass; one whose store is
 * away waits for a later pass.
 */
export function createOrderPurge(
  coffer: Coffer,
  afterSeconds: number,
  countPurged: () => void,
): (signal: AbortSignal) => Promise<'more' | 'done'> {
  let last: OrderRow | undefined;
  let away = 0;
  return async (signal) => {
    if (last === undefined) await forgetTurns(coffer.db, TURNS_KEPT_SECONDS);
    if (afterSeconds === 0) return 'done';
    const rows = await listFinishedOrders(coffer.db, afterSeconds, last, BATCH);
    for (const row of rows) {
      if (signal.aborted) return 'done';
      const outcome = await purgeOrder(coffer, row);
      if (outcome === 'purged') countPurged();
      if (outcome === 'away') away += 1;
      last = row;
    }
    if (rows.length === BATCH) return 'more';
    if (away > 0) coffer.log.warn({ orders: away }, 'ended orders are kept while their secret store is away');
    [last, away] = [undefined, 0];
    return 'done';
  };
}

/** `left` is an order that another node or its owner deleted first, and a row that is not ours. */
async function purgeOrder(coffer: Coffer, row: OrderRow): Promise<'purged' | 'left' | 'away'> {
  try {
    const order = await openRow(coffer.keyring, 'orders', { id: row.id }, row);
    await deleteRow(coffer.db, 'orders', order);
    return 'purged';
  } catch (error) {
    if (error instanceof StoreAway) return 'away';
    if (error instanceof StaleRow || error instanceof ProjectGone) return 'left';
    if (!(error instanceof CofferError && error.code === 'integrity_violation')) throw error;
    coffer.integrityViolations.count('orders', 'none');
    return 'left';
  }
}
