import type { Coffer } from '../coffer.ts';
import { IDENTITY_CHANNEL } from '../db/channels.ts';
import type { ProjectRow, SealedTable } from '../db/schema.ts';
import { deleteRow, openRow, StaleRow, updateRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
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
 * meets it, and makes nothing new under the old id.
 */
const ROW_STAYS_SECONDS = 600;

/**
 * Marks a project as deleted. From then on nobody gets or keeps a token for it, nothing is written in it, and
 * its name is free; the job destroys what it has.
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
        const changes = { deleted: now, updated: now, name: null, name_key: null };
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

type Deletion = Pick<Coffer, 'db' | 'keyring' | 'log' | 'integrityViolations'> & ProjectDeletionOptions;

/**
 * One batch of the work on each project that is being deleted: first its rows, then the roles in it, then its
 * keys, at last its own row. Each batch leaves less; nothing is remembered between two.
 */
export function createProjectDeletion(
  coffer: Omit<Deletion, keyof ProjectDeletionOptions>,
  options: ProjectDeletionOptions,
): (signal: AbortSignal) => Promise<'more' | 'done'> {
  const { db, keyring, log, integrityViolations } = coffer;
  const deletion = { db, keyring, log, integrityViolations, ...options };
  return async (signal) => {
    let outcome: 'more' | 'done' = 'done';
    let after = '';
    for (;;) {
      const ids = await queries.listDeletedProjects(db, after, PROJECTS_AT_ONCE);
      for (const id of ids) {
        if (signal.aborted) return outcome;
        if ((await work(deletion, id)) === 'more') outcome = 'more';
      }
      const last = ids.at(-1);
      if (last === undefined || ids.length < PROJECTS_AT_ONCE) return outcome;
      after = last;
    }
  };
}

async function work(deletion: Deletion, projectId: string): Promise<'more' | 'done'> {
  const project = await findMarked(deletion, projectId);
  if (project === undefined) return 'done';
  for (const table of queries.TABLES_OF_PROJECTS) {
    if ((await deleteBatch(deletion, table, projectId)) === 'more') return 'more';
  }
  if ((await deletion.removeRoles(projectId)) === 'more') return 'more';
  return await finish(deletion, project);
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

/** Rows that do not verify go too: their project is going. They are counted. */
async function deleteBatch(
  { db, keyring, integrityViolations }: Deletion,
  table: SealedTable,
  projectId: string,
): Promise<'more' | 'done'> {
  const rows = await queries.listRowsOf(db, table, projectId, ROWS_AT_ONCE);
  if (rows.length === 0) return 'done';
  const opened = await Promise.allSettled(
    rows.map(async (row) => await openRow(keyring, table, { project_id: projectId }, row)),
  );
  for (const outcome of opened) {
    if (outcome.status === 'fulfilled') continue;
    // Whose store is away cannot be verified either.
    if (!(outcome.reason instanceof CofferError)) throw outcome.reason;
    if (isViolation(outcome.reason)) integrityViolations.count(table, PROJECT_DELETION);
  }
  await queries.deleteRowsOf(
    db,
    table,
    projectId,
    rows.map(({ place }) => place),
  );
  return 'more';
}

async function finish(deletion: Deletion, project: ProjectRow): Promise<'more' | 'done'> {
  const { db, keyring, log, rowStaysSeconds = ROW_STAYS_SECONDS } = deletion;
  await keyring.destroyKeks(project.id);
  const outcome = await db.transaction(async (tx) => {
    const state = await queries.lockDeletedProject(tx, project, rowStaysSeconds);
    if (state === undefined || !state.isEmpty) return 'more';
    await queries.deleteBookkeeping(tx, project.id);
    const keks = await queries.deleteKeks(tx, project.id);
    if (keks > 0) log.info({ project: project.id, keks }, 'the keys of a deleted project were destroyed');
    if (state.isOver) await deleteRow(tx, 'projects', project);
    return 'done';
  });
  if (outcome === 'done') keyring.forgetKeys(project.id);
  return outcome;
}

function isViolation(error: unknown): boolean {
  return error instanceof CofferError && error.code === 'integrity_violation';
}
