import { sealedColumns } from '../db/layouts.ts';
import type { Queryable } from '../db/open.ts';
import type { ConsumerRow, ConsumerTable } from './record.ts';

const ORDER: Readonly<Record<ConsumerTable, string>> = {
  secret_consumers: 'created, id',
  container_consumers: 'name, url, id',
};

const columnsOf = (table: ConsumerTable): string => sealedColumns(table).join(', ');

export async function findConsumer(
  db: Queryable,
  table: ConsumerTable,
  id: string,
): Promise<ConsumerRow | undefined> {
  const { rows } = await db.query<ConsumerRow>({
    name: `find-${table}`,
    text: `SELECT ${columnsOf(table)} FROM ${table} WHERE id = $1`,
    values: [id],
  });
  return rows[0];
}

/** All consumers of some parents, unverified, each parent's in their order. */
export async function listConsumersOf(
  db: Queryable,
  table: ConsumerTable,
  parentIds: readonly string[],
): Promise<ConsumerRow[]> {
  const { rows } = await db.query<ConsumerRow>({
    name: `list-${table}`,
    text: `SELECT ${columnsOf(table)} FROM ${table} WHERE parent_id = ANY ($1::uuid[]) ORDER BY ${ORDER[table]}`,
    values: [parentIds],
  });
  return rows;
}

/** A page of one parent's consumers, unverified, and the count of all. */
export async function pageConsumers(
  db: Queryable,
  table: ConsumerTable,
  parentId: string,
  page: { offset: number; limit: number },
): Promise<{ rows: ConsumerRow[]; total: number }> {
  const [found, counted] = await Promise.all([
    db.query<ConsumerRow>({
      name: `page-${table}`,
      text: `SELECT ${columnsOf(table)} FROM ${table} WHERE parent_id = $1 ORDER BY ${ORDER[table]} LIMIT $2 OFFSET $3`,
      values: [parentId, page.limit, page.offset],
    }),
    db.query<{ total: bigint }>({
      name: `count-${table}`,
      text: `SELECT count(*) AS total FROM ${table} WHERE parent_id = $1`,
      values: [parentId],
    }),
  ]);
  return { rows: found.rows, total: Number(counted.rows[0]?.total ?? 0n) };
}

/** Whatever names the parent, verified or not. */
export async function deleteConsumersOf(
  db: Queryable,
  table: ConsumerTable,
  parentId: string,
): Promise<number> {
  const { rowCount } = await db.query({
    name: `delete-all-${table}`,
    text: `DELETE FROM ${table} WHERE parent_id = $1`,
    values: [parentId],
  });
  return rowCount ?? 0;
}
