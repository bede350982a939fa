import { sealedColumns } from '../db/layouts.ts';
import type { Lookup } from '../db/lookup.ts';
import type { Db } from '../db/open.ts';
import type { KekRow, ProjectRow } from '../db/schema.ts';

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

/** All epochs of a project, unverified. */
export async function listKeks(db: Db, projectId: string): Promise<KekRow[]> {
  const { rows } = await db.query<KekRow>({
    name: 'keks-of-project',
    text: `SELECT ${columns('keks')} FROM keks WHERE project_id = $1`,
    values: [projectId],
  });
  return rows;
}

/** Whether there is a row that only a keyring opens. */
export async function hasKeyedRows(db: Db): Promise<boolean> {
  const { rows } = await db.query({ text: 'SELECT FROM projects UNION ALL SELECT FROM keks LIMIT 1' });
  return rows.length > 0;
}
