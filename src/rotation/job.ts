import { CofferError } from '../errors.ts';
import { activeMasterKey } from '../keyring/store-master-keys.ts';
import type { RotationPace } from './moving.ts';
import { listWornMasterKeys, listWornProjects } from './queries.ts';
import { findProjectsToRotate } from './rotate-all.ts';
import type { RotationParts } from './rewrap.ts';
import { beginRotation, continueRotation, USUAL_PACE } from './rotation.ts';

export const KEK_ROTATION = 'rotate-keks';

const LOOK_FOR_OLD_EVERY_MS = 3_600_000;
const WORN_AT_ONCE = 100;

export interface RotationJobOptions {
  /** KEKs older than that are rotated; 0 for none. */
  kekMaxAgeSeconds: number;
  pace?: RotationPace;
}

/**
 * Ends the rotations that were begun, here or elsewhere; begins those of KEKs that are older than the age, or
 * have encrypted as often as they should.
 */
export function createRotationJob(
  parts: RotationParts,
  { kekMaxAgeSeconds, pace = USUAL_PACE }: RotationJobOptions,
): (signal: AbortSignal) => Promise<'more' | 'done'> {
  let lookedAt = Number.NEGATIVE_INFINITY;
  const lookNow = (): boolean => {
    if (performance.now() - lookedAt < LOOK_FOR_OLD_EVERY_MS) return false;
    lookedAt = performance.now();
    return true;
  };
  return async (signal) => {
    await beginAll(parts, await findWorn(parts), 'a KEK has encrypted often: its rotation begins', signal);
    if (lookNow()) {
      await warnOfMasterKeys(parts);
      await beginAll(
        parts,
        await findOld(parts, kekMaxAgeSeconds),
        'a KEK is past its age: its rotation begins',
        signal,
      );
    }
    const advanced = await continueRotation(parts, pace, { signal });
    return advanced?.state === 'moving' || advanced?.state === 'done' ? 'more' : 'done';
  };
}

async function beginAll(
  parts: RotationParts,
  projectIds: readonly string[],
  why: string,
  signal: AbortSignal,
): Promise<void> {
  for (const project of projectIds) {
    if (signal.aborted) return;
    try {
      await beginRotation(parts, project);
      parts.log.info({ project }, why);
    } catch (error) {
      // One whose store is away, or whose row does not verify, does not hold the others up.
      if (!(error instanceof CofferError)) throw error;
      parts.log.warn({ err: error, project }, 'a rotation could not begin; it is tried again');
    }
  }
}

async function findOld(parts: RotationParts, kekMaxAgeSeconds: number): Promise<string[]> {
  if (kekMaxAgeSeconds === 0) return [];
  const old = { projectIds: undefined, olderThanSeconds: kekMaxAgeSeconds, from: null, to: undefined };
  return await findProjectsToRotate(parts, old);
}

async function findWorn({ db, keyring: { stores, wraps } }: RotationParts): Promise<string[]> {
  const isCounted = stores.names.some((name) => stores.find(name)?.counted?.keks === true);
  return isCounted ? await listWornProjects(db, wraps.limits.rotateAt, WORN_AT_ONCE) : [];
}

/** A master key is replaced by people alone; one that was replaced encrypts nothing any more. */
async function warnOfMasterKeys({ db, keyring, log }: RotationParts): Promise<void> {
  const { stores } = keyring;
  for (const { store, key_id, wraps } of await listWornMasterKeys(db, keyring.wraps.limits.rotateAt)) {
    const backend = stores.find(store);
    if (backend === undefined || activeMasterKey(await keyring.system(), stores, backend) !== key_id)
      continue;
    log.error(
      { store, masterKey: key_id, wraps: String(wraps) },
      'a master key has encrypted as often as it should: rotate it to another one',
    );
  }
}
