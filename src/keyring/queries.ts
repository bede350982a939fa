import { sealedColumns } from '../db/layouts.ts';
import type { Lookup } from '../db/lookup.ts';
import type { Db } from '../db/open.ts';
import type { KekRow, ProjectRow } from '../db/schema.ts';
import type { CountedKey } from './wrap-counts.ts';

const columns = (table: 'projects' | 'keks'): string =>
  sealedColumns(table)
    .map((name) => `${table}.${name}`)
    .join(', ');

const PROJECT_BY_ID: Lookup<ProjectRow> = {
  name: 'project-by-id',
  text: `SELECT asked, ${columns('projects')} FROM unnest($1::text[]) AS asked JOIN projects ON projects.id = asked`,
};

export async function findProject(db: Db, id: string): Promise<ProjectRow | undefined> {
  return await db.lookup(PROJECT_BY_ID, id);
}

export async function findKek(db: Db, projectId: string, epoch: bigint): Promise<KekRow | undefined> {
  const { rows } = await db.query<KekRow>({
    name: 'kek-by-project-and-epoch',
    text: `SELECT ${columns('keks')} FROM keks WHERE project_id = $1 AND epoch = $2`,
    values: [projectId, epoch],
  });
  return rows[0];
}

/** Some KEKs of all projects in the order of their ids, unverified. */
export async function listKeksAfter(db: Db, after: string | null, limit: number): Promise<KekRow[]> {
  const { rows } = await db.query<KekRow>({
    name: 'keks-after',
    text: `SELECT ${columns('keks')} FROM keks WHERE $1::text IS NULL OR id > $1::text::uuid ORDER BY id LIMIT $2`,
    values: [after, limit],
  });
  return rows;
}

/** All epochs of a project, unverified. */
export async function listKeks(db: Db, projectId: string): Promise<KekRow[]> {
  const { rows } = await db.query<KekRow>({
    name: 'keks-of-project',
    text: `SELECT ${columns('keks')} FROM keks WHERE project_id = $1`,
    values: [projectId],
  });
  return rows;
}

/**
 * Adds a block to what a key has encrypted, and gives the sum; never below what was seen of it before.
 * Undefined when the sum would pass the limit, or the KEK is gone: its row is held meanwhile, so that no
 * count outlives it.
 */
export async function reserveWraps(
  db: Db,
  { kind, store, id, projectId }: CountedKey,
  { block, seen, refuseAt }: { block: bigint; seen: bigint; refuseAt: bigint },
): Promise<bigint | undefined> {
  const there =
    kind === 'kek' ? 'WITH kek AS (SELECT FROM keks WHERE id = $3::text::uuid FOR KEY SHARE)' : '';
  const { rows } = await db.query<{ wraps: bigint }>({
    name: `reserve-wraps-${kind}`,
    text: `${there} INSERT INTO wrap_counts AS old (kind, store, key_id, project_id, wraps)
      SELECT $1::text, $2::text, $3::text, $4::text, $5::bigint + $6::bigint ${kind === 'kek' ? 'FROM kek' : ''}
      WHERE $5::bigint + $6::bigint <= $7
      ON CONFLICT (kind, store, key_id) DO UPDATE SET wraps = greatest(old.wraps, $5) + $6
      WHERE greatest(old.wraps, $5) <= $7 - $6
      RETURNING wraps`,
    values: [kind, store, id, projectId, seen, block, refuseAt],
  });
  return rows[0]?.wraps;
}

/** Whether there is a row that only a keyring opens. */
export async function hasKeyedRows(db: Db): Promise<boolean> {
  const { rows } = await db.query({ text: 'SELECT FROM projects UNION ALL SELECT FROM keks LIMIT 1' });
  return rows.length > 0;
}
