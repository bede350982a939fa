import type { ProjectRow } from '../db/schema.ts';
import { DEFAULT_DOMAIN } from './keystone-requests.ts';
import { type IdentityParts, readUser } from './rights.ts';

/** What a user's tokens may be scoped to. */
export interface Scopes {
  projects: ProjectRow[];
  hasDomain: boolean;
  hasSystem: boolean;
}

/** Where the user has a role. */
export async function listScopesOf(parts: IdentityParts, userId: string): Promise<Scopes> {
  const assignments = (await readUser(parts, userId, null))?.assignments ?? [];
  const ids = assignments
    .filter(({ scope_kind }) => scope_kind === 'project')
    .map(({ scope_id }) => scope_id);
  const projects = await Promise.all(
    [...new Set(ids)].map(async (id) => await parts.keyring.findProject(id)),
  );
  return {
    projects: projects.flatMap((project) =>
      project?.enabled === true && project.deleted === null ? [project] : [],
    ),
    hasDomain: assignments.some(
      ({ scope_kind, scope_id }) => scope_kind === 'domain' && scope_id === DEFAULT_DOMAIN.id,
    ),
    hasSystem: assignments.some(({ scope_kind }) => scope_kind === 'system'),
  };
}
