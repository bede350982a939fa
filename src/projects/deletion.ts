import type { Coffer } from '../coffer.ts';
import { IDENTITY_CHANNEL } from '../db/channels.ts';
import type { Queryable } from '../db/open.ts';
import type { ProjectRow } from '../db/schema.ts';
import { deleteRow, StaleRow, updateRow } from '../db/sealed.ts';
import { CofferError, StoreAway } from '../errors.ts';
import { UNKNOWN_REMAINS } from '../keyring/kek-remains.ts';
import * as queries from './queries.ts';

type Parts = Pick<Coffer, 'db' | 'keyring' | 'clock'>;

/** The job that does what `deleteProject` begins. */
export const PROJECT_DELETION = 'delete-projects';

const ATTEMPTS_MAX = 5;
const ROWS_AT_ONCE = 200;
const PROJECTS_AT_ONCE = 100;
/** The migration that gives projects the column `deleted`. */
const DELETED_SINCE = 8;
/**
 * How long the row stays when all else is gone: whoever was let in before the deletion, and is slow, still
 * meets it, and makes nothing new under the old id. Longer than any server holds one of its KEKs unasked.
 */
export const ROW_STAYS_SECONDS = 1_200;
/** However long the work on others takes, a project is looked at again after this. */
const SETTLED_MS = 60_000;

/**
 * Marks a project as deleted. From then on nobody gets or keeps a token for it, nothing is written in it,
 * none of its keys is lent, and its name is free; the job destroys what it has.
 *
 * @throws CofferError `not_found` for a project that is not there, or is being deleted already.
 */
export async function deleteProject(coffer: Parts & Pick<Coffer, 'wake'>, projectId: string): Promise<void> {
  const { db, keyring, clock } = coffer;
  if (keyring.finishedMigration < DELETED_SINCE) {
    throw new CofferError('unavailable', 'Projects are deleted once `coffer migrate --finish` has been run.');
  }
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    keyring.forgetProject(projectId);
    const project = await keyring.findProject(projectId);
    if (project === undefined || project.deleted !== null || project.origin === 'system') {
      throw new CofferError('not_found', 'There is no such project.');
    }
    const now = clock.now();
    try {
      await db.transaction(async (tx) => {
        // No epoch counts any more: what is under way inserts and moves nothing under an old one.
        const least_epoch = project.active_epoch + 1n;
        const changes = { deleted: now, updated: now, name: null, name_key: null, least_epoch };
        await updateRow(tx, keyring, 'projects', project, changes);
        await tx.query({ text: `NOTIFY ${IDENTITY_CHANNEL}` });
      });
      keyring.forgetProject(projectId);
      coffer.wake(PROJECT_DELETION);
      return;
    } catch (error) {
      if (!(error instanceof StaleRow)) throw error;
    }
  }
  throw new CofferError('unavailable', 'The project is being changed by others; try again.', {
    retryAfterSeconds: 1,
  });
}

export interface ProjectDeletionOptions {
  /** Takes the roles in a project from everybody, a few at a time. */
  removeRoles: (projectId: string) => Promise<'more' | 'done'>;
  rowStaysSeconds?: number;
}

export type Deletion = Pick<Coffer, 'db' | 'keyring' | 'log' | 'integrityViolations'> &
  ProjectDeletionOptions;

/**
 * One batch of the work on each project that is being deleted. While one of them answers `more`, those that
 * did not are left alone: most only wait until their rows may go.
 */
export function createProjectDeletion(
  coffer: Omit<Deletion, keyof ProjectDeletionOptions>,
  options: ProjectDeletionOptions,
): (signal: AbortSignal) => Promise<'more' | 'done'> {
  const { db, keyring, log, integrityViolations } = coffer;
  const deletion = { db, keyring, log, integrityViolations, ...options };
  /** Done with, or away. */
  const settled = new Map<string, StoreAway | undefined>();
  let since = performance.now();
  const run = async (signal: AbortSignal): Promise<'more' | 'done'> => {
    let outcome: 'more' | 'done' = 'done';
    let after = '';
    for (;;) {
      const ids = await queries.listDeletedProjects(db, after, PROJECTS_AT_ONCE);
      for (const id of ids.filter((marked) => !settled.has(marked))) {
        if (signal.aborted) return outcome;
        try {
          if ((await advanceDeletion(deletion, id)) === 'more') outcome = 'more';
          else settled.set(id, undefined);
        } catch (error) {
          if (!(error instanceof StoreAway)) throw error;
          settled.set(id, error);
        }
      }
      const last = ids.at(-1);
      if (last === undefined || ids.length < PROJECTS_AT_ONCE) break;
      after = last;
    }
    return outcome;
  };
  return async (signal) => {
    if (performance.now() - since > SETTLED_MS) settled.clear();
    if (settled.size === 0) since = performance.now();
    let outcome: 'more' | 'done' = 'done';
    try {
      outcome = await run(signal);
      const away = [...settled.values()].find((error) => error !== undefined);
      if (away !== undefined && outcome === 'done') throw away;
      return outcome;
    } finally {
      if (outcome === 'done') settled.clear();
    }
  };
}

/**
 * One batch of the work on a project that is being deleted: first its keys, so that nothing of it opens
 * again, then its rows and the roles in it, at last its own row. Each batch leaves less; nothing is
 * remembered between two.
 *
 * @throws StoreAway when nothing is left but keys in a store that is.
 */
export async function advanceDeletion(deletion: Deletion, projectId: string): Promise<'more' | 'done'> {
  const project = await findMarked(deletion, projectId);
  if (project === undefined) return 'done';
  const away = await destroyKeys(deletion, projectId);
  for (const table of queries.TABLES_OF_PROJECTS) {
    if ((await queries.deleteRowsOf(deletion.db, table, projectId, ROWS_AT_ONCE)) > 0) return 'more';
  }
  if ((await deletion.removeRoles(projectId)) === 'more') return 'more';
  if (away !== undefined) throw away;
  return await finish(deletion, project);
}

/** A store that is away keeps its part: the rows of the keys stay until it is back, and name them. */
async function destroyKeys(
  { db, keyring, log }: Deletion,
  projectId: string,
): Promise<StoreAway | undefined> {
  let unknown: readonly string[];
  try {
    unknown = await keyring.destroyKeks(projectId);
  } catch (error) {
    if (error instanceof StoreAway) return error;
    throw error;
  }
  if (unknown.length > 0) log.warn({ project: projectId, keks: unknown }, UNKNOWN_REMAINS);
  const keks = await queries.deleteKeks(db, projectId);
  keyring.forgetKeys(projectId);
  if (keks > 0) log.info({ project: projectId, keks }, 'the keys of a deleted project were destroyed');
  return undefined;
}

/** The mark counts in a row that verifies: otherwise the database could have any project destroyed by us. */
async function findMarked(
  { keyring, integrityViolations }: Deletion,
  projectId: string,
): Promise<ProjectRow | undefined> {
  keyring.forgetProject(projectId);
  try {
    const project = await keyring.findProject(projectId);
    return project?.deleted === null ? undefined : project;
  } catch (error) {
    if (!isViolation(error)) throw error;
    integrityViolations.count('projects', PROJECT_DELETION);
    return undefined;
  }
}

async function finish(deletion: Deletion, project: ProjectRow): Promise<'more' | 'done'> {
  const { db, log, rowStaysSeconds = ROW_STAYS_SECONDS } = deletion;
  return await db.transaction(async (tx) => {
    const state = await queries.lockDeletedProject(tx, project, rowStaysSeconds);
    if (state === undefined || !state.isEmpty) return 'more';
    await queries.deleteBookkeeping(tx, project.id);
    if (!state.isOver) return 'done';
    await end(deletion, tx, project);
    log.info({ project: project.id }, 'nothing is left of a deleted project');
    return 'done';
  });
}

/**
 * One that only an outside Keystone knows may be used again, under the same id: its row stays, so that it
 * gets epochs and revisions behind those of before. What is put back of its former life opens nowhere, and
 * no server takes its new row for an old one.
 */
async function end({ keyring }: Deletion, tx: Queryable, project: ProjectRow): Promise<void> {
  if (project.origin === 'external') {
    const unused = { deleted: null, limits: null, preferred_store: null };
    await updateRow(tx, keyring, 'projects', project, unused);
  } else await deleteRow(tx, 'projects', project);
}

function isViolation(error: unknown): boolean {
  return error instanceof CofferError && error.code === 'integrity_violation';
}
