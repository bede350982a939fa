import { setTimeout as wait } from 'node:timers/promises';
import { CofferError, StoreAway } from '../errors.ts';
import { countRowsBelow, findRotation, listProjectsToRotate } from './queries.ts';
import type { RotationParts } from './rewrap.ts';
import type { RotationPace } from './moving.ts';
import { beginRotation, continueRotation } from './rotation.ts';

export interface Wanted {
  /** Ids; all that have a KEK when there are none. */
  projectIds: readonly string[] | undefined;
  olderThanSeconds: number | null;
  /** Only those whose KEK is in the store that has these names. */
  from: readonly string[] | null;
  /** The store of the new KEK; where the old one is when it is not said. */
  to: string | undefined;
}

export interface Outcome {
  rotated: string[];
  /** Rows that do not verify hold their old keys back. */
  blocked: string[];
  /** Whose own row or KEK does not verify, or whose store is away: they hold no other up. */
  failed: { id: string; why: CofferError }[];
}

export interface Watch {
  signal: AbortSignal;
  onProgress: (moved: number, total: number) => void;
}

const PROJECTS_AT_ONCE = 500;
const LOOK_EVERY_MS = 500;

/** The projects that are asked for, as the database tells them. */
export async function findProjectsToRotate(
  { db }: Pick<RotationParts, 'db'>,
  { projectIds, olderThanSeconds, from }: Wanted,
): Promise<string[]> {
  const found: string[] = [];
  for (let after = ''; ; ) {
    const page = await listProjectsToRotate(db, {
      olderThanSeconds,
      stores: from,
      after,
      limit: PROJECTS_AT_ONCE,
    });
    found.push(...page.map(({ id }) => id));
    after = page.at(-1)?.id ?? '';
    if (page.length < PROJECTS_AT_ONCE) break;
  }
  return projectIds === undefined ? found : found.filter((id) => projectIds.includes(id));
}

/**
 * Rotates the KEKs of projects and stays until their old ones are destroyed. Other nodes may do a part of the
 * work; whoever is cut off leaves it to them, or to the next call.
 */
export async function rotateAll(
  parts: RotationParts,
  pace: RotationPace,
  ids: readonly string[],
  to: string | undefined,
  { signal, onProgress }: Watch,
): Promise<Outcome> {
  const outcome: Outcome = { rotated: [], blocked: [], failed: [] };
  const pending = new Set<string>();
  let total = 0;
  for (const id of ids) {
    if (signal.aborted) break;
    const begun = await onlyItsOwn(outcome, id, async () => await beginRotation(parts, id, to));
    if (begun === undefined) continue;
    total += await countRowsBelow(parts.db, id, begun.active_epoch);
    pending.add(id);
  }
  onProgress(0, total);
  while (pending.size > 0 && !signal.aborted) {
    let left = 0;
    for (const id of pending) {
      if (signal.aborted) break;
      const state = await onlyItsOwn(outcome, id, async () => await advance(parts, pace, id, signal));
      if (state === 'done') outcome.rotated.push(id);
      if (state === 'blocked') outcome.blocked.push(id);
      if (state === undefined || state === 'done' || state === 'blocked') pending.delete(id);
      else left += (await readLeft(parts, id)) ?? 0;
    }
    onProgress(total - left, total);
    if (pending.size > 0) await wait(LOOK_EVERY_MS, undefined, { signal }).catch(ignoreAbort);
  }
  return outcome;
}

/** Undefined, and noted, for what concerns one project alone; one that is gone needs no rotation. */
async function onlyItsOwn<T>(
  { failed }: Outcome,
  id: string,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CofferError)) throw error;
    if (error.code === 'not_found') return undefined;
    if (error.code !== 'integrity_violation' && !(error instanceof StoreAway)) throw error;
    failed.push({ id, why: error });
    return undefined;
  }
}

/** Does what is to do, or sees how far another node is. */
async function advance(
  parts: RotationParts,
  pace: RotationPace,
  projectId: string,
  signal: AbortSignal,
): Promise<'moving' | 'waiting' | 'blocked' | 'done'> {
  const mine = await continueRotation(parts, pace, { projectId, signal });
  if (mine !== undefined) return mine.state;
  const rotation = await findRotation(parts.db, projectId);
  if (rotation === undefined) return 'done';
  const left = await countRowsBelow(parts.db, projectId, rotation.below);
  return left > 0 && left === Number(rotation.damaged) ? 'blocked' : 'moving';
}

async function readLeft({ db }: RotationParts, projectId: string): Promise<number | undefined> {
  const rotation = await findRotation(db, projectId);
  return rotation && (await countRowsBelow(db, projectId, rotation.below));
}

function ignoreAbort(error: unknown): void {
  if (error instanceof Error && error.name === 'AbortError') return;
  throw error instanceof Error ? error : new CofferError('internal', 'The wait failed.');
}
