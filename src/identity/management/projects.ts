import type { ProjectRow } from '../../db/schema.ts';
import { type Hold, holdRows, sealRow, swapRow } from '../../db/sealed.ts';
import { CofferError } from '../../errors.ts';
import * as administration from '../administration.ts';
import { announce, nameTaken } from '../administration.ts';
import { untilCurrent } from '../assignments.ts';
import { DEFAULT_DOMAIN } from '../keystone-requests.ts';
import { parseName } from '../names.ts';
import { findProject, missing } from '../rows.ts';
import { nextValidFrom } from '../valid-from.ts';
import { holdAdministrator } from './administrators.ts';
import { type Extra, mergeExtra } from './extra.ts';
import type { ListFilter } from './filters.ts';
import { type Management, openGenuine, type Read } from './management.ts';
import { listProjects as listProjectRows } from './queries.ts';
import { type Page, pageOf } from './users.ts';

export interface ProjectChanges {
  name?: string;
  description?: string | null;
  enabled?: boolean;
  extra?: Extra;
}

/** A page of those that match; `matches` looks at what the database cannot. */
export async function listProjects(
  management: Management,
  filter: ListFilter | undefined,
  matches: (project: ProjectRow) => boolean = () => true,
): Promise<Page<ProjectRow>> {
  management.require('identity:list_projects', { domainId: DEFAULT_DOMAIN.id });
  if (filter === undefined) return { rows: [] };
  const found: ProjectRow[] = [];
  let page: Page<ProjectRow> = { rows: [], next: filter.marker ?? '' };
  while (page.next !== undefined && found.length <= filter.limit) {
    const asked = { ...filter, marker: page.next };
    page = pageOf(await listProjectRows(management.db, asked), filter.limit);
    const opened = await openGenuine(management, 'projects', page.rows, { origin: 'local', deleted: null });
    found.push(...opened.filter(matches));
  }
  const isMore = page.next !== undefined || found.length > filter.limit;
  const rows = found.slice(0, filter.limit);
  const last = rows.at(-1);
  return isMore && last !== undefined ? { rows, next: last.id } : { rows };
}

export async function getProject(management: Management, id: string): Promise<ProjectRow> {
  return await getAllowed(management, 'identity:get_project', id);
}

/** @throws CofferError `conflict` when the name is taken. */
export async function createProject(
  management: Management,
  readWanted: Read<ProjectChanges & { name: string }>,
): Promise<ProjectRow> {
  management.require('identity:create_project', { domainId: DEFAULT_DOMAIN.id });
  const { name, description = null, enabled = true, extra = new Map() } = await readWanted();
  return await administration.createProject(management, name, {
    description,
    enabled,
    extra: mergeExtra(null, extra),
  });
}

/**
 * Disabling ends every token of the project: also once it is enabled again.
 *
 * @throws CofferError `forbidden` for disabling the project of the last administrator.
 */
export async function updateProject(
  management: Management,
  id: string,
  readChanges: (project: ProjectRow) => Promise<ProjectChanges>,
): Promise<ProjectRow> {
  return await untilCurrent(async () => {
    const project = await getAllowed(management, 'identity:update_project', id);
    const { name, extra = new Map(), ...plain } = await readChanges(project);
    const isDisabled = plain.enabled === false && project.enabled;
    const holds = isDisabled ? await holdOthers(management, id) : [];
    const parsed = name === undefined ? undefined : parseName(name, 'project');
    const next = await sealRow(management.keyring, 'projects', {
      ...project,
      ...plain,
      extra: mergeExtra(project.extra, extra),
      ...(parsed === undefined ? {} : { name: parsed.name, name_key: parsed.key }),
      tokens_valid_from: isDisabled
        ? nextValidFrom(management.clock.now(), project.tokens_valid_from)
        : project.tokens_valid_from,
      revision: project.revision + 1n,
      updated: management.clock.now(),
    });
    await management.db.transaction(async (tx) => {
      await holdRows(tx, [...holds, { table: 'projects', row: project, change: true }]);
      await swapRow(tx, 'projects', project, next).catch(nameTaken('project', name ?? ''));
      await announce(tx);
    });
    management.keyring.forgetProject(id);
    return next;
  });
}

/**
 * Ends the project: first nobody gets in any more, then `destroy` takes it with all that it holds.
 *
 * @throws CofferError `forbidden` for the project of the last administrator.
 */
export async function deleteProject(
  management: Management,
  id: string,
  destroy: (projectId: string) => Promise<void>,
): Promise<void> {
  await getAllowed(management, 'identity:delete_project', id);
  const unguarded: Management = { ...management, require: () => {} };
  await updateProject(unguarded, id, async () => ({ enabled: false }));
  await destroy(id);
}

/** Asks for the right before it tells that there is no such project. */
async function getAllowed(
  management: Management,
  action: 'identity:get_project' | 'identity:update_project' | 'identity:delete_project',
  id: string,
): Promise<ProjectRow> {
  const project = await findProject(management, id);
  if (project !== undefined && management.memory.isOlder('projects', project)) {
    throw new CofferError('integrity_violation', 'Integrity Violation');
  }
  management.require(action, project === undefined ? {} : targetOf(project));
  return project ?? missing('project', id);
}

const targetOf = ({ id, domain_id }: ProjectRow) => ({
  projectId: id,
  ...(domain_id === null ? {} : { domainId: domain_id }),
});

/** Who administers from elsewhere, where somebody does so from this project. */
async function holdOthers(management: Management, projectId: string): Promise<Hold[]> {
  return await holdAdministrator(
    management,
    (_known, { scope_kind, scope_id }) => scope_kind === 'project' && scope_id === projectId,
  );
}
