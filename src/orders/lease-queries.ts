import type { Queryable } from '../db/open.ts';

/** Orders of a lane wait only for each other. */
export type Lane = 'key' | 'asymmetric';

/** The right to work on an order until its time is over, by the database's clock. */
export interface Lease {
  order_id: string;
  /** With this one. */
  attempts: bigint;
  /** Another one for each lease of the same order, and after it was given back. */
  fence: bigint;
}

/** In the transaction that makes the order. */
export async function insertLease(
  tx: Queryable,
  order: { id: string; project_id: string },
  lane: Lane,
): Promise<void> {
  await tx.query({
    name: 'order-lease-insert',
    text: `INSERT INTO order_leases (order_id, project_id, lane, due, attempts, fence)
      VALUES ($1, $2, $3, now(), 0, 0)`,
    values: [order.id, order.project_id, lane],
  });
}

/**
 * The next order that is due, of the project whose turn was longest ago. `firsts` steps through an index from
 * project to project: how many orders wait in one of them costs nothing.
 */
export async function takeLease(db: Queryable, lane: Lane, seconds: number): Promise<Lease | undefined> {
  const { rows } = await db.query<Lease>({
    // Without a name it is planned anew each time: a plan for an empty queue would read all of a long one.
    text: `WITH RECURSIVE firsts AS (
        (SELECT project_id, due, order_id FROM order_leases WHERE lane = $1
          ORDER BY project_id, due, order_id LIMIT 1)
        UNION ALL
        SELECT following.* FROM firsts CROSS JOIN LATERAL (
          SELECT project_id, due, order_id FROM order_leases
          WHERE lane = $1 AND project_id > firsts.project_id
          ORDER BY project_id, due, order_id LIMIT 1) AS following
      ), waiting AS (
        SELECT firsts.project_id FROM firsts
          LEFT JOIN order_turns turns ON turns.project_id = firsts.project_id AND turns.lane = $1
        WHERE firsts.due <= now()
        ORDER BY turns.served NULLS FIRST, firsts.due, firsts.order_id
      ), next AS (
        SELECT first.order_id FROM waiting CROSS JOIN LATERAL (
          SELECT order_id FROM order_leases
          WHERE lane = $1 AND project_id = waiting.project_id AND due <= now()
          ORDER BY due, order_id LIMIT 1 FOR UPDATE SKIP LOCKED) AS first
        LIMIT 1
      ), taken AS (
        UPDATE order_leases leases SET due = now() + $2::bigint * interval '1 second',
          attempts = attempts + 1, fence = fence + 1
        FROM next WHERE leases.order_id = next.order_id
        RETURNING leases.order_id, leases.project_id, leases.attempts, leases.fence
      ), turn AS (
        INSERT INTO order_turns (project_id, lane, served)
          SELECT project_id, $1, clock_timestamp() FROM taken
        ON CONFLICT (project_id, lane) DO UPDATE SET served = excluded.served
      )
      SELECT order_id, attempts, fence FROM taken`,
    values: [lane, seconds],
  });
  return rows[0];
}

/** False when the lease is no longer this one. */
export async function extendLease(
  db: Queryable,
  { order_id, fence }: Lease,
  seconds: number,
): Promise<boolean> {
  const { rowCount } = await db.query({
    name: 'order-lease-extend',
    text: `UPDATE order_leases SET due = now() + $3::bigint * interval '1 second'
      WHERE order_id = $1 AND fence = $2`,
    values: [order_id, fence, seconds],
  });
  return rowCount === 1;
}

/** Nothing is left to do for the order. False when the lease is no longer this one. */
export async function endLease(tx: Queryable, { order_id, fence }: Lease): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'order-lease-end',
    text: 'DELETE FROM order_leases WHERE order_id = $1 AND fence = $2',
    values: [order_id, fence],
  });
  return rowCount === 1;
}

/**
 * The order is due again after a time, whatever of this lease still comes; an attempt that was not finished
 * need not count.
 */
export async function giveLeaseBack(
  db: Queryable,
  { order_id, fence }: Lease,
  { seconds, counts }: { seconds: number; counts: boolean },
): Promise<void> {
  await db.query({
    name: 'order-lease-give-back',
    text: `UPDATE order_leases SET due = now() + $3::float8 * interval '1 second',
        attempts = CASE WHEN $4::boolean THEN attempts ELSE attempts - 1 END, fence = fence + 1
      WHERE order_id = $1 AND fence = $2`,
    values: [order_id, fence, seconds, counts],
  });
}

/** With the order, whoever works on it. */
export async function deleteLease(tx: Queryable, orderId: string): Promise<void> {
  await tx.query({
    name: 'order-lease-delete',
    text: 'DELETE FROM order_leases WHERE order_id = $1',
    values: [orderId],
  });
}

/** Turns that are so old are as good as none. */
export async function forgetTurns(db: Queryable, olderThanSeconds: number): Promise<void> {
  await db.query({
    text: `DELETE FROM order_turns WHERE served < now() - $1::bigint * interval '1 second'`,
    values: [olderThanSeconds],
  });
}
