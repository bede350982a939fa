import { sealedColumns } from '../../db/layouts.ts';
import type { Queryable } from '../../db/open.ts';
import type { ProjectRow, SealedTable, UserRow } from '../../db/schema.ts';
import { nameKey } from '../names.ts';
import type { ListFilter } from './filters.ts';

const columns = (table: SealedTable): string => sealedColumns(table).join(', ');

/** A page in the order of the ids, and one row more where there are more. */
const PAGE = `($1::text IS NULL OR name_key = $1) AND ($2::boolean IS NULL OR enabled = $2)
  AND ($3::text IS NULL OR CASE $4
    WHEN 'contains' THEN position($3 in name) > 0
    WHEN 'startswith' THEN starts_with(name, $3)
    WHEN 'endswith' THEN right(name, length($3)) = $3
    WHEN 'icontains' THEN position(lower($3) in lower(name)) > 0
    WHEN 'istartswith' THEN starts_with(lower(name), lower($3))
    WHEN 'iendswith' THEN right(lower(name), length($3)) = lower($3) END)
  AND ($5::text IS NULL OR id > $5) ORDER BY id LIMIT $6`;

const valuesOf = ({ name, like, enabled, marker, limit }: ListFilter): unknown[] => [
  name === undefined ? null : nameKey(name),
  enabled ?? null,
  like?.text ?? null,
  like?.how ?? null,
  marker ?? null,
  limit + 1,
];

export async function listProjects(db: Queryable, filter: ListFilter): Promise<ProjectRow[]> {
  const { rows } = await db.query<ProjectRow>({
    name: 'projects-page',
    text: `SELECT ${columns('projects')} FROM projects WHERE origin = 'local' AND deleted IS NULL AND ${PAGE}`,
    values: valuesOf(filter),
  });
  return rows;
}

export async function listUsers(db: Queryable, filter: ListFilter): Promise<UserRow[]> {
  const { rows } = await db.query<UserRow>({
    name: 'users-page',
    text: `SELECT ${columns('users')} FROM users WHERE ${PAGE}`,
    values: valuesOf(filter),
  });
  return rows;
}

/** The ids of those who have the role somewhere. */
export async function listHolders(db: Queryable, roleId: string): Promise<string[]> {
  const { rows } = await db.query<{ user_id: string }>({
    name: 'role-holders',
    text: 'SELECT DISTINCT user_id FROM role_assignments WHERE role_id = $1 ORDER BY user_id',
    values: [roleId],
  });
  return rows.map(({ user_id }) => user_id);
}
