import { sealedColumns } from '../db/layouts.ts';
import type { Queryable } from '../db/open.ts';
import type { TransportKeyRow } from '../db/schema.ts';

const COLUMNS = sealedColumns('transport_keys').join(', ');

export async function findTransportKey(db: Queryable, id: string): Promise<TransportKeyRow | undefined> {
  const { rows } = await db.query<TransportKeyRow>({
    name: 'transport-key-by-id',
    text: `SELECT ${COLUMNS} FROM transport_keys WHERE id = $1`,
    values: [id],
  });
  return rows[0];
}

/** One page, unverified, in the order of their making, and the count of all; of every plugin for null. */
export async function listTransportKeys(
  db: Queryable,
  pluginName: string | null,
  { offset, limit }: { offset: number; limit: number },
): Promise<{ rows: TransportKeyRow[]; total: number }> {
  const where = 'FROM transport_keys WHERE $1::text IS NULL OR plugin_name = $1';
  const { rows } = await db.query<TransportKeyRow>({
    name: 'transport-keys',
    text: `SELECT ${COLUMNS} ${where} ORDER BY created, id LIMIT $2 OFFSET $3`,
    values: [pluginName, limit, offset],
  });
  const { rows: counted } = await db.query<{ total: bigint }>({
    name: 'count-transport-keys',
    text: `SELECT count(*) AS total ${where}`,
    values: [pluginName],
  });
  return { rows, total: Number(counted[0]?.total ?? 0n) };
}
