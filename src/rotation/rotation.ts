import { StaleRow, sealRow, swapRow } from '../db/sealed.ts';
import type { ProjectRow } from '../db/schema.ts';
import { CofferError } from '../errors.ts';
import { UNKNOWN_REMAINS } from '../keyring/kek-remains.ts';
import { hasKek } from '../keyring/projects.ts';
import * as queries from './queries.ts';
import { moveProject, type RotationPace } from './moving.ts';
import type { RotationParts } from './rewrap.ts';

export const USUAL_PACE: RotationPace = { rowsAtOnce: 256, rowsPerSecond: 10_000, restSeconds: 15 };

/** What a project's rotation came to: `waiting` until the old keys may go, `blocked` by damaged rows. */
export type RotationState = 'moving' | 'waiting' | 'blocked' | 'done';

const LEASE_SECONDS = 30;
const BLOCKED_REST_SECONDS = 3_600;
const ATTEMPTS_MAX = 5;

/**
 * Makes a new KEK for a project, in a store or where its KEKs are, and marks the rows under older ones to be
 * moved to it. What follows, `continueRotation` does: here, or on any node.
 *
 * @throws CofferError `not_found` for a project that is not there, or has no KEK.
 */
export async function beginRotation(
  parts: RotationParts,
  projectId: string,
  store?: string,
): Promise<ProjectRow> {
  const { keyring } = parts;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    keyring.forgetProject(projectId);
    const project = await keyring.findProject(projectId);
    if (project === undefined || project.deleted !== null || !hasKek(project)) {
      throw new CofferError('not_found', 'There is no such project, or it has no key yet.');
    }
    const below = project.active_epoch + 1n;
    try {
      await keyring.startEpoch(project, store, async (tx) => {
        await queries.insertRotation(tx, projectId, below);
      });
    } catch (error) {
      if (!(error instanceof StaleRow || (error instanceof CofferError && error.code === 'conflict')))
        throw error;
      continue;
    }
    const rotated = await keyring.findProject(projectId);
    if (rotated !== undefined) return rotated;
  }
  throw new CofferError('unavailable', 'The project is being changed; try again.', { retryAfterSeconds: 1 });
}

/**
 * Works on one rotation that nobody else works on, until its rows are moved, and destroys the old keys when
 * nothing can need them any more. Cut off anywhere, it is taken up by the next call, on any node.
 *
 * Undefined when there is none to work on.
 */
export async function continueRotation(
  parts: RotationParts,
  pace: RotationPace,
  { projectId, signal }: { projectId?: string; signal: AbortSignal },
): Promise<{ projectId: string; state: RotationState } | undefined> {
  const rotation = await queries.leaseRotation(parts.db, LEASE_SECONDS, projectId ?? null);
  if (rotation === undefined) return undefined;
  const { project_id: id } = rotation;
  const project = await readProject(parts, id);
  if (project === undefined || project.deleted !== null) {
    await queries.deleteRotation(parts.db, id, rotation.below);
    return { projectId: id, state: 'done' };
  }
  // The row is not sealed, and never asks for more than was begun: the key in use would be destroyed.
  const below = rotation.below < project.active_epoch ? rotation.below : project.active_epoch;
  if (below < rotation.below) await queries.lowerRotation(parts.db, id, { from: rotation.below, to: below });
  if (project.least_epoch >= below) return { projectId: id, state: await finish(parts, id, below) };
  const damaged = await moveProject(parts, pace, project, { below, leaseSeconds: LEASE_SECONDS }, signal);
  const left = signal.aborted ? -1 : await queries.countRowsBelow(parts.db, id, below);
  const isDrained = left === 0;
  const isBlocked = left > 0 && left === damaged;
  const restSeconds = isBlocked ? BLOCKED_REST_SECONDS : 0;
  await queries.releaseRotation(parts.db, id, below, { isDrained, restSeconds, damaged });
  if (isBlocked) {
    parts.log.error({ project: id, damaged }, 'rows that do not verify hold an old key back');
    return { projectId: id, state: 'blocked' };
  }
  if (!isDrained) return { projectId: id, state: 'moving' };
  return { projectId: id, state: await retire(parts, pace, project, below) };
}

async function readProject({ keyring }: RotationParts, id: string): Promise<ProjectRow | undefined> {
  keyring.forgetProject(id);
  return await keyring.findProject(id);
}

/**
 * Ends the epochs below: from now on nothing under them is accepted, and their keys are destroyed. In one
 * transaction with the count that finds no row of theirs, which no writer can pass: whoever inserts a row
 * locks the project's.
 */
async function retire(
  parts: RotationParts,
  { restSeconds }: RotationPace,
  project: ProjectRow,
  below: bigint,
): Promise<RotationState> {
  const { db, keyring } = parts;
  const rotation = await queries.findRotation(db, project.id);
  if (rotation === undefined) return 'done';
  if (rotation.drained === null || !(await queries.isPast(db, rotation.drained, restSeconds)))
    return 'waiting';
  const next = await sealRow(keyring, 'projects', { ...project, least_epoch: below });
  try {
    await db.transaction(async (tx) => {
      await swapRow(tx, 'projects', project, next);
      if ((await queries.countRowsBelow(tx, project.id, below)) > 0) throw new StaleRow();
    });
  } catch (error) {
    if (!(error instanceof StaleRow)) throw error;
    return 'moving';
  } finally {
    keyring.forgetProject(project.id);
  }
  return await finish(parts, project.id, below);
}

/**
 * Destroys the keys of epochs that no longer count. The store's part first: a row that is gone names nothing.
 */
async function finish(
  { db, keyring, log }: RotationParts,
  projectId: string,
  below: bigint,
): Promise<'done'> {
  const unknown = await keyring.destroyKeks(projectId, (epoch) => epoch < below);
  if (unknown.length > 0) log.warn({ project: projectId, keks: unknown }, UNKNOWN_REMAINS);
  await db.transaction(async (tx) => {
    await queries.deleteKeksBelow(tx, projectId, below);
    await queries.deleteCountsOfGone(tx, projectId);
    await queries.deleteRotation(tx, projectId, below);
  });
  keyring.forgetKeys(projectId);
  return 'done';
}
