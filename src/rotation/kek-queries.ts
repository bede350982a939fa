import { sealedColumns } from '../db/layouts.ts';
import type { Db, Queryable } from '../db/open.ts';
import type { KekRow } from '../db/schema.ts';

const COLUMNS = sealedColumns('keks').join(', ');

/** KEKs of a store, whatever names its rows go by. */
interface KeksWanted {
  stores: readonly string[];
  /** Those under any master key but this one. */
  notUnder: string;
}

/** The KEKs that a master key's rotation moves, unverified, in the order of their ids. */
export async function listKeksToMove(
  db: Db,
  { stores, notUnder }: KeksWanted,
  { after, limit }: { after: string | null; limit: number },
): Promise<KekRow[]> {
  const { rows } = await db.query<KekRow>({
    name: 'keks-to-move',
    text: `SELECT ${COLUMNS} FROM keks
      WHERE store = ANY($1) AND master_key_id <> $2 AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4`,
    values: [stores, notUnder, after, limit],
  });
  return rows;
}

export async function countKeksToMove(db: Db, { stores, notUnder }: KeksWanted): Promise<number> {
  const { rows } = await db.query<{ keks: bigint }>({
    name: 'count-keks-to-move',
    text: 'SELECT count(*) AS keks FROM keks WHERE store = ANY($1) AND master_key_id <> $2',
    values: [stores, notUnder],
  });
  return Number(rows[0]?.keks ?? 0n);
}

/** Of one KEK, unverified; undefined when it is gone. */
export async function findKekById(db: Db, id: string): Promise<KekRow | undefined> {
  const { rows } = await db.query<KekRow>({
    name: 'kek-by-id',
    text: `SELECT ${COLUMNS} FROM keks WHERE id = $1`,
    values: [id],
  });
  return rows[0];
}

/** Every KEK there is, unverified, in the order of their ids. */
export async function listAllKeks(db: Db, after: string | null, limit: number): Promise<KekRow[]> {
  const { rows } = await db.query<KekRow>({
    name: 'all-keks',
    text: `SELECT ${COLUMNS} FROM keks WHERE ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2`,
    values: [after, limit],
  });
  return rows;
}

/** How many KEKs of a store are under one of these master keys. */
export async function countKeksUnder(
  db: Queryable,
  stores: readonly string[],
  masterKeyIds: readonly string[],
): Promise<number> {
  const { rows } = await db.query<{ keks: bigint }>({
    name: 'count-keks-under',
    text: 'SELECT count(*) AS keks FROM keks WHERE store = ANY($1) AND master_key_id = ANY($2)',
    values: [stores, masterKeyIds],
  });
  return Number(rows[0]?.keks ?? 0n);
}

/** How many KEKs each master key has, by the names that their rows say. */
export async function countKeksByMasterKey(
  db: Db,
): Promise<{ store: string; master_key_id: string; keks: bigint }[]> {
  const { rows } = await db.query<{ store: string; master_key_id: string; keks: bigint }>({
    name: 'keks-by-master-key',
    text: 'SELECT store, master_key_id, count(*) AS keks FROM keks GROUP BY 1, 2 ORDER BY 1, 2',
  });
  return rows;
}
