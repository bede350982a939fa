import { findProjectsToRotate } from './rotate-all.ts';
import type { RotationParts } from './rewrap.ts';
import { beginRotation, continueRotation, USUAL_PACE } from './rotation.ts';

export const KEK_ROTATION = 'rotate-keks';

const LOOK_FOR_OLD_EVERY_MS = 3_600_000;

/**
 * Ends the rotations that were begun, here or elsewhere; begins those of KEKs older than the age, 0 for none.
 */
export function createRotationJob(
  parts: RotationParts,
  kekMaxAgeSeconds: number,
): (signal: AbortSignal) => Promise<'more' | 'done'> {
  let lookedAt = Number.NEGATIVE_INFINITY;
  const beginOld = async (signal: AbortSignal): Promise<void> => {
    if (kekMaxAgeSeconds === 0 || performance.now() - lookedAt < LOOK_FOR_OLD_EVERY_MS) return;
    lookedAt = performance.now();
    const old = { projectIds: undefined, olderThanSeconds: kekMaxAgeSeconds, from: null, to: undefined };
    for (const id of await findProjectsToRotate(parts, old)) {
      if (signal.aborted) return;
      await beginRotation(parts, id);
      parts.log.info({ project: id }, 'a KEK is past its age: its rotation begins');
    }
  };
  return async (signal) => {
    await beginOld(signal);
    const advanced = await continueRotation(parts, USUAL_PACE, { signal });
    return advanced?.state === 'moving' || advanced?.state === 'done' ? 'more' : 'done';
  };
}
