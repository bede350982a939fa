import { LAYOUTS, sealedColumns, SYSTEM_PROJECT, sealingProject } from '../db/layouts.ts';
import type { Db, Queryable } from '../db/open.ts';
import type { ProjectRow, SealedRows, SealedTable } from '../db/schema.ts';

/** The sealed tables without that of the KEKs, whose rows each have a key of their own. */
const TABLES = (Object.keys(LAYOUTS) as SealedTable[]).filter((table) => table !== 'keks');

/** Whether rows of a table are sealed by the project that they name, and not by the system's. */
function isOwned(table: SealedTable): boolean {
  return sealingProject(table, { project_id: '' } as SealedRows[SealedTable]) === '';
}

/** The sealed tables with rows under a project's keys. */
export function tablesOf(projectId: string): readonly SealedTable[] {
  return TABLES.filter((table) => isOwned(table) !== (projectId === SYSTEM_PROJECT));
}

/** `project_id = $1` for the tables where rows name their project; `$1` is used all the same. */
function ofProject(table: SealedTable): string {
  return isOwned(table) ? 'project_id = $1' : '$1::text IS NOT NULL';
}

/** A rotation as the database tells of it. */
export interface KekRotation {
  project_id: string;
  /** Rows of epochs below this one are moved to the active one. */
  below: bigint;
  started: Date;
  /** Since when no row below is left but those that are damaged. */
  drained: Date | null;
  rewrapped: bigint;
  damaged: bigint;
}

const COLUMNS = 'project_id, below, started, drained, rewrapped, damaged';

/**
 * In the transaction that makes the new epoch. One that is under way already goes on to the newer epoch, at
 * once: what held it back may be put right by now, and two nodes may work on it.
 */
export async function insertRotation(tx: Queryable, projectId: string, below: bigint): Promise<void> {
  await tx.query({
    name: 'insert-rotation',
    text: `INSERT INTO kek_rotations (project_id, below, started, rewrapped, damaged)
      VALUES ($1, $2, now(), 0, 0)
      ON CONFLICT (project_id) DO UPDATE
      SET below = greatest(kek_rotations.below, EXCLUDED.below), drained = NULL, damaged = 0,
        leased_until = NULL`,
    values: [projectId, below],
  });
}

/** Takes a rotation that nobody else works on, for some seconds by the database's clock. */
export async function leaseRotation(
  db: Db,
  seconds: number,
  projectId: string | null,
): Promise<KekRotation | undefined> {
  const { rows } = await db.query<KekRotation>({
    name: 'lease-rotation',
    text: `UPDATE kek_rotations SET leased_until = now() + $1 * interval '1 s'
      WHERE project_id = (
        SELECT project_id FROM kek_rotations
        WHERE (leased_until IS NULL OR leased_until < now()) AND ($2::text IS NULL OR project_id = $2)
        ORDER BY drained NULLS FIRST, started LIMIT 1 FOR UPDATE SKIP LOCKED)
      RETURNING ${COLUMNS}`,
    values: [seconds, projectId],
  });
  return rows[0];
}

/** What was done since the last report; the lease goes on. */
export async function reportRotation(
  db: Db,
  projectId: string,
  { rewrapped, damaged, seconds }: { rewrapped: number; damaged: number; seconds: number },
): Promise<void> {
  await db.query({
    name: 'report-rotation',
    text: `UPDATE kek_rotations SET rewrapped = rewrapped + $2, damaged = $3,
      leased_until = now() + $4 * interval '1 s' WHERE project_id = $1`,
    values: [projectId, rewrapped, damaged, seconds],
  });
}

/** Ends the lease; `isDrained` says that no row is left to move. */
export async function releaseRotation(
  db: Db,
  projectId: string,
  below: bigint,
  { isDrained, restSeconds, damaged }: { isDrained: boolean; restSeconds: number; damaged: number },
): Promise<void> {
  await db.query({
    name: 'release-rotation',
    text: `UPDATE kek_rotations SET leased_until = now() + $4 * interval '1 s', damaged = $5,
      drained = CASE WHEN $3 AND below = $2 THEN coalesce(drained, now()) END WHERE project_id = $1`,
    values: [projectId, below, isDrained, restSeconds, damaged],
  });
}

/** Puts right what no server wrote. */
export async function lowerRotation(
  db: Db,
  projectId: string,
  { from, to }: { from: bigint; to: bigint },
): Promise<void> {
  await db.query({
    name: 'lower-rotation',
    text: 'UPDATE kek_rotations SET below = $3 WHERE project_id = $1 AND below = $2',
    values: [projectId, from, to],
  });
}

export async function findRotation(db: Db, projectId: string): Promise<KekRotation | undefined> {
  const { rows } = await db.query<KekRotation>({
    name: 'rotation',
    text: `SELECT ${COLUMNS} FROM kek_rotations WHERE project_id = $1`,
    values: [projectId],
  });
  return rows[0];
}

/** A few rows of a project under epochs below the one given, unverified, in the order of their ids. */
export async function listRowsBelow<T extends SealedTable>(
  db: Db,
  table: T,
  projectId: string,
  below: bigint,
  { after, limit }: { after: string | null; limit: number },
): Promise<SealedRows[T][]> {
  const { rows } = await db.query<SealedRows[T]>({
    name: `rows-below-${table}`,
    text: `SELECT ${sealedColumns(table).join(', ')} FROM ${table}
      WHERE ${ofProject(table)} AND epoch < $2 AND ($3::text IS NULL OR id::text COLLATE "C" > $3)
      ORDER BY id::text COLLATE "C" LIMIT $4`,
    values: [projectId, below, after, limit],
  });
  return rows;
}

/** How many rows of a project are under epochs below the one given. */
export async function countRowsBelow(db: Queryable, projectId: string, below: bigint): Promise<number> {
  const counts = tablesOf(projectId)
    .map((table) => `(SELECT count(*) FROM ${table} WHERE ${ofProject(table)} AND epoch < $2)`)
    .join(' + ');
  const { rows } = await db.query<{ rows: bigint }>({
    text: `SELECT ${counts} AS rows`,
    values: [projectId, below],
  });
  return Number(rows[0]?.rows ?? 0n);
}

export async function deleteKeksBelow(tx: Queryable, projectId: string, below: bigint): Promise<void> {
  await tx.query({
    name: 'delete-keks-below',
    text: 'DELETE FROM keks WHERE project_id = $1 AND epoch < $2',
    values: [projectId, below],
  });
}

/** What is kept of KEKs that are gone: how often they encrypted. */
export async function deleteCountsOfGone(tx: Queryable, projectId: string): Promise<void> {
  await tx.query({
    name: 'delete-wrap-counts',
    text: `DELETE FROM wrap_counts WHERE kind = 'kek' AND project_id = $1
      AND NOT EXISTS (SELECT FROM keks WHERE project_id = $1 AND id::text = key_id)`,
    values: [projectId],
  });
}

/** Projects whose active KEK encrypted so often, by the count that the servers keep; not the deleted ones. */
export async function listWornProjects(db: Db, wraps: bigint, limit: number): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>({
    name: 'worn-projects',
    text: `SELECT DISTINCT projects.id FROM wrap_counts JOIN keks ON keks.id::text = wrap_counts.key_id
      JOIN projects ON projects.id = keks.project_id AND projects.active_epoch = keks.epoch
      WHERE wrap_counts.kind = 'kek' AND wrap_counts.wraps >= $1 AND projects.deleted IS NULL LIMIT $2`,
    values: [wraps, limit],
  });
  return rows.map(({ id }) => id);
}

/** Master keys that encrypted so often. */
export async function listWornMasterKeys(
  db: Db,
  wraps: bigint,
): Promise<{ store: string; key_id: string; wraps: bigint }[]> {
  const { rows } = await db.query<{ store: string; key_id: string; wraps: bigint }>({
    name: 'worn-master-keys',
    text: `SELECT store, key_id, wraps FROM wrap_counts WHERE kind = 'master-key' AND wraps >= $1
      ORDER BY wraps DESC LIMIT 10`,
    values: [wraps],
  });
  return rows;
}

export async function deleteRotation(tx: Queryable, projectId: string, below: bigint): Promise<void> {
  await tx.query({
    name: 'delete-rotation',
    text: 'DELETE FROM kek_rotations WHERE project_id = $1 AND below <= $2',
    values: [projectId, below],
  });
}

/** Whether the database's clock is this much past a moment of its own. */
export async function isPast(db: Queryable, moment: Date, seconds: number): Promise<boolean> {
  const { rows } = await db.query<{ past: boolean }>({
    name: 'is-past',
    text: `SELECT now() >= $1::timestamptz + $2 * interval '1 s' AS past`,
    values: [moment, seconds],
  });
  return rows[0]?.past === true;
}

/**
 * Projects that write under a KEK which is older than so many seconds, or under any; not the deleted ones.
 */
export async function listProjectsToRotate(
  db: Db,
  { olderThanSeconds, stores, after, limit }: ProjectsWanted,
): Promise<Pick<ProjectRow, 'id'>[]> {
  const { rows } = await db.query<Pick<ProjectRow, 'id'>>({
    name: 'projects-to-rotate',
    text: `SELECT projects.id FROM projects
      JOIN keks ON keks.project_id = projects.id AND keks.epoch = projects.active_epoch
      WHERE projects.deleted IS NULL AND projects.id > $1
        AND ($2::float8 IS NULL OR keks.created < now() - $2 * interval '1 s')
        AND ($3::text[] IS NULL OR keks.store = ANY ($3))
      ORDER BY projects.id LIMIT $4`,
    values: [after, olderThanSeconds, stores, limit],
  });
  return rows;
}

export interface ProjectsWanted {
  /** Null for any age. */
  olderThanSeconds: number | null;
  /** Those whose active KEK is in one of these stores; null for any. */
  stores: readonly string[] | null;
  after: string;
  limit: number;
}
