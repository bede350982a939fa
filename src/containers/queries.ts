import { type SelectQueryBuilder, sql } from 'kysely';
import { sealedColumns } from '../db/layouts.ts';
import type { Lookup } from '../db/lookup.ts';
import type { Db, Queryable } from '../db/open.ts';
import type { ContainerRow, Tables } from '../db/schema.ts';
import type { ContainerFilter } from './list-filter.ts';

const COLUMNS = sealedColumns('containers');

const CONTAINER_BY_ID: Lookup<ContainerRow> = {
  name: 'container-by-id',
  text: `SELECT asked::text AS asked, ${COLUMNS.map((name) => `containers.${name}`).join(', ')}
    FROM unnest($1::uuid[]) AS asked JOIN containers ON containers.id = asked`,
};

export async function findContainer(db: Db, id: string): Promise<ContainerRow | undefined> {
  return await db.lookup(CONTAINER_BY_ID, id);
}

/**
 * One page of a project's containers, unverified, and the count of all that match: the database's
 * convenience.
 */
export async function listContainers(
  db: Db,
  projectId: string,
  filter: ContainerFilter,
  page: { offset: number; limit: number },
): Promise<{ rows: ContainerRow[]; total: number }> {
  const matching = matchingContainers(db, projectId, filter);
  const rows = matching
    .select(COLUMNS as (keyof ContainerRow)[])
    .orderBy('created')
    .orderBy('id')
    .limit(page.limit)
    .offset(page.offset)
    .compile();
  const count = matching.select((eb) => eb.fn.countAll<bigint>().as('total')).compile();
  const [found, counted] = await Promise.all([
    db.query<ContainerRow>({ text: rows.sql, values: rows.parameters }),
    db.query<{ total: bigint }>({ text: count.sql, values: count.parameters }),
  ]);
  return { rows: found.rows, total: Number(counted.rows[0]?.total ?? 0n) };
}

// `{}` is Kysely's word for a selection of nothing yet.
type Matching = SelectQueryBuilder<Tables, 'containers', {}>;

/** LIKE only where there is a wildcard: an equality uses the index, and no pattern can be malformed. */
function matchingContainers(db: Db, projectId: string, { name, type }: ContainerFilter): Matching {
  let query = db.build.selectFrom('containers').where('project_id', '=', projectId);
  if (name !== undefined) {
    const hasWildcard = /[%_]/.test(name);
    query = query.where((eb) =>
      hasWildcard ? sql<boolean>`${eb.ref('name')} LIKE ${name} ESCAPE ''` : eb('name', '=', name),
    );
  }
  if (type !== undefined) query = query.where('type', '=', type);
  return query;
}

/** Which of these ids are those of secrets that have not been deleted; an expired one counts. */
export async function findKeptSecrets(
  db: Db,
  projectId: string,
  secretIds: readonly string[],
): Promise<ReadonlySet<string>> {
  if (secretIds.length === 0) return new Set();
  const { rows } = await db.query<{ id: string }>({
    name: 'kept-secrets',
    text: 'SELECT id FROM secrets WHERE id = ANY($1::uuid[]) AND project_id = $2',
    values: [[...new Set(secretIds)], projectId],
  });
  return new Set(rows.map(({ id }) => id));
}

/** Locks the secrets until the transaction ends; says how many are still as they were read. */
export async function lockSecrets(
  tx: Queryable,
  secrets: readonly { id: string; seal: Uint8Array }[],
): Promise<number> {
  const { rows } = await tx.query<{ locked: bigint }>({
    name: 'lock-secrets',
    text: `SELECT count(*) AS locked FROM (
      SELECT 1 FROM secrets JOIN unnest($1::uuid[], $2::bytea[]) AS asked (id, seal)
        ON secrets.id = asked.id AND secrets.seal = asked.seal
      ORDER BY secrets.id FOR SHARE OF secrets) AS held`,
    values: [secrets.map(({ id }) => id), secrets.map(({ seal }) => seal)],
  });
  return Number(rows[0]?.locked ?? 0n);
}
