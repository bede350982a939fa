import { sql } from 'kysely';
import { sealedColumns } from '../db/layouts.ts';
import type { Db } from '../db/open.ts';
import type { OrderRow } from '../db/schema.ts';

const COLUMNS = sealedColumns('orders');
const SELECTED = COLUMNS.join(', ');

export type OrderWithPassphrase = OrderRow & { payload_body: Uint8Array | null };

/** As a client asks: of its own project. */
export async function findProjectOrder(db: Db, id: string, projectId: string): Promise<OrderRow | undefined> {
  const { rows } = await db.query<OrderRow>({
    name: 'order-of-project',
    text: `SELECT ${SELECTED} FROM orders WHERE id = $1 AND project_id = $2`,
    values: [id, projectId],
  });
  return rows[0];
}

/** As a worker asks: by what its lease says. */
export async function findOrder(db: Db, id: string): Promise<OrderWithPassphrase | undefined> {
  const { rows } = await db.query<OrderWithPassphrase>({
    name: 'order-by-id',
    text: `SELECT ${SELECTED}, payload_body FROM orders WHERE id = $1`,
    values: [id],
  });
  return rows[0];
}

/** One page of a project's orders, unverified, and the count of all that match. `part` is one of `meta`. */
export async function listOrders(
  db: Db,
  projectId: string,
  part: string | undefined,
  page: { offset: number; limit: number },
): Promise<{ rows: OrderRow[]; total: number }> {
  let matching = db.build.selectFrom('orders').where('project_id', '=', projectId);
  if (part !== undefined) matching = matching.where(sql<boolean>`meta LIKE ${`%${part}%`} ESCAPE ''`);
  const rows = matching
    .select(COLUMNS as (keyof OrderRow)[])
    .orderBy('created')
    .orderBy('id')
    .limit(page.limit)
    .offset(page.offset)
    .compile();
  const count = matching.select((eb) => eb.fn.countAll<bigint>().as('total')).compile();
  const [found, counted] = await Promise.all([
    db.query<OrderRow>({ text: rows.sql, values: rows.parameters }),
    db.query<{ total: bigint }>({ text: count.sql, values: count.parameters }),
  ]);
  return { rows: found.rows, total: Number(counted.rows[0]?.total ?? 0n) };
}

/** The next finished orders, unverified, that ended so long ago by the database's clock. */
export async function listFinishedOrders(
  db: Db,
  afterSeconds: number,
  last: Pick<OrderRow, 'updated' | 'id'> | undefined,
  limit: number,
): Promise<OrderRow[]> {
  const { rows } = await db.query<OrderRow>({
    name: 'orders-finished',
    text: `SELECT ${SELECTED} FROM orders
      WHERE status <> 'PENDING' AND updated <= now() - $1::bigint * interval '1 second'
        AND ($2::timestamptz IS NULL OR (updated, id) > ($2::timestamptz, $3::uuid))
      ORDER BY updated, id LIMIT $4`,
    values: [afterSeconds, last?.updated ?? null, last?.id ?? null, limit],
  });
  return rows;
}
