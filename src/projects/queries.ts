import { LAYOUTS } from '../db/layouts.ts';
import type { Db, Queryable } from '../db/open.ts';
import type { ProjectRow, SealedTable } from '../db/schema.ts';

/** The sealed tables whose rows are some project's, without its keys: those go last. */
export const TABLES_OF_PROJECTS = (Object.keys(LAYOUTS) as SealedTable[]).filter(
  (table) =>
    table !== 'keks' && LAYOUTS[table].some(({ columns }) => columns.some(([name]) => name === 'project_id')),
);

/** Projects that are being deleted, as the database says it, after the one given. */
export async function listDeletedProjects(db: Db, after: string, limit: number): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>({
    name: 'deleted-projects',
    text: 'SELECT id FROM projects WHERE deleted IS NOT NULL AND id > $1 ORDER BY id LIMIT $2',
    values: [after, limit],
  });
  return rows.map(({ id }) => id);
}

/**
 * Deletes some rows of a project, whatever is in them: found by their places, because an id may have been
 * altered, to stand in many rows or in none. Gives the number of those that went.
 */
export async function deleteRowsOf(
  db: Db,
  table: SealedTable,
  projectId: string,
  limit: number,
): Promise<number> {
  const { rowCount } = await db.query({
    name: `delete-rows-of-project-${table}`,
    text: `DELETE FROM ${table} WHERE project_id = $1
      AND ctid = ANY (ARRAY(SELECT ctid FROM ${table} WHERE project_id = $1 LIMIT $2))`,
    values: [projectId, limit],
  });
  return rowCount ?? 0;
}

/** How many rows a project has, without its keys. */
export async function countRowsOf(db: Db, projectId: string): Promise<number> {
  const counts = TABLES_OF_PROJECTS.map((table) => `(SELECT count(*) FROM ${table} WHERE project_id = $1)`);
  const { rows } = await db.query<{ rows: bigint }>({
    name: 'count-rows-of-project',
    text: `SELECT ${counts.join(' + ')} AS rows`,
    values: [projectId],
  });
  return Number(rows[0]?.rows ?? 0n);
}

const ANY_ROW = TABLES_OF_PROJECTS.map((table) => `EXISTS (SELECT FROM ${table} WHERE project_id = $1)`).join(
  ' OR ',
);

/**
 * Locks the project's row, as long as it is still the one that was read, and says whether rows of the project
 * are left, and whether it was marked longer ago than `seconds`. Undefined when the row changed or went.
 */
export async function lockDeletedProject(
  tx: Queryable,
  project: ProjectRow,
  seconds: number,
): Promise<{ isEmpty: boolean; isOver: boolean } | undefined> {
  const { rows: locked } = await tx.query<{ over: boolean }>({
    name: 'lock-deleted-project',
    text: `SELECT deleted < now() - make_interval(secs => $3) AS over FROM projects
      WHERE id = $1 AND seal = $2 FOR UPDATE`,
    values: [project.id, project.seal, seconds],
  });
  if (locked[0] === undefined) return undefined;
  // Asked once the lock is there: who was writing under the row has ended by now.
  const { rows } = await tx.query<{ left: boolean }>({
    name: 'rows-left-of-project',
    text: `SELECT ${ANY_ROW} AS left`,
    values: [project.id],
  });
  return { isEmpty: rows[0]?.left === false, isOver: locked[0].over };
}

/** Unsealed bookkeeping of a project, which nobody writes any more once its rows are gone. */
const UNSEALED_TABLES_OF_PROJECTS = ['order_leases', 'order_turns', 'kek_rotations', 'wrap_counts'] as const;

export async function deleteBookkeeping(tx: Queryable, projectId: string): Promise<void> {
  for (const table of UNSEALED_TABLES_OF_PROJECTS) {
    const text = `DELETE FROM ${table} WHERE project_id = $1`;
    await tx.query({ name: `delete-${table}-of-project`, text, values: [projectId] });
  }
}

/** Destroys every epoch of the project's keys. */
export async function deleteKeks(tx: Queryable, projectId: string): Promise<number> {
  const { rowCount } = await tx.query({
    name: 'delete-keks-of-project',
    text: 'DELETE FROM keks WHERE project_id = $1',
    values: [projectId],
  });
  return rowCount ?? 0;
}
