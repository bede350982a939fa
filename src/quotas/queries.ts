import { sealedColumns } from '../db/layouts.ts';
import type { Queryable } from '../db/open.ts';
import type { ProjectRow } from '../db/schema.ts';
import type { CountedTable } from './record.ts';

/** What is past its end gave its place back. */
const UNEXPIRED = ' AND (expiration IS NULL OR expiration > now())';

/**
 * Whether the project's row is still the one that was read, locked, and how many rows of a table the project
 * has: no further than one past the limit, so that the count costs no more than the limit is large.
 */
export async function countUse(
  tx: Queryable,
  project: ProjectRow,
  table: CountedTable,
  limit: number,
): Promise<{ isCurrent: boolean; used: number }> {
  const counted = `SELECT FROM ${table} WHERE project_id = $1${table === 'secrets' ? UNEXPIRED : ''}`;
  const { rows } = await tx.query<{ current: bigint; used: bigint }>({
    name: `quota-use-${table}`,
    text: `WITH project AS (SELECT FROM projects WHERE id = $1 AND seal = $2 FOR SHARE)
      SELECT (SELECT count(*) FROM project) AS current,
        (SELECT count(*) FROM (${counted} LIMIT $3) AS counted) AS used`,
    values: [project.id, project.seal, limit + 1],
  });
  return { isCurrent: rows[0]?.current === 1n, used: Number(rows[0]?.used) };
}

/** A page of the projects that have limits of their own, unverified, and the count of them. */
export async function listLimitedProjects(
  db: Queryable,
  { offset, limit }: { offset: number; limit: number },
): Promise<{ rows: ProjectRow[]; total: number }> {
  const where = 'FROM projects WHERE limits IS NOT NULL AND deleted IS NULL';
  const { rows } = await db.query<ProjectRow>({
    name: 'limited-projects',
    text: `SELECT ${sealedColumns('projects').join(', ')} ${where} ORDER BY created, id LIMIT $1 OFFSET $2`,
    values: [limit, offset],
  });
  const { rows: counted } = await db.query<{ total: bigint }>({
    name: 'count-limited-projects',
    text: `SELECT count(*) AS total ${where}`,
    values: [],
  });
  return { rows, total: Number(counted[0]?.total ?? 0n) };
}
