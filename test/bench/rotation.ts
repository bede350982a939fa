import { pino } from 'pino';
import type { Config } from '../../src/config.ts';
import { createProject } from '../../src/identity/administration.ts';
import { openInstallation } from '../../src/installation.ts';
import { beginRotation, continueRotation, USUAL_PACE } from '../../src/rotation/rotation.ts';
import { fillProject } from './fill.ts';

const SECRETS = 50_000;
const ROUNDS = 2;
const PACE = { ...USUAL_PACE, rowsPerSecond: Number.POSITIVE_INFINITY, restSeconds: 0 };

export interface Rotated {
  secrets: number;
  /** Of each round: from the new KEK to the end of the old one. */
  rowsPerSecond: number[];
}

/** Rotates the KEK of a project with very many secrets, as `coffer kek rotate` would without its brake. */
export async function measureRotation(config: Config): Promise<Rotated> {
  const options = { purpose: 'command', createMissing: false, allowEmpty: false, say: () => {} } as const;
  const installation = await openInstallation(config, options);
  try {
    const clock = { now: () => new Date() };
    const { id: projectId } = await createProject({ ...installation, clock }, 'rotated');
    await fillProject(installation, { projectId, count: SECRETS, names: ['rotated'] });
    const parts = {
      ...installation,
      clock,
      log: pino({ level: 'silent' }),
      integrityViolations: { count: () => {} },
    };
    const rowsPerSecond: number[] = [];
    while (rowsPerSecond.length < ROUNDS) {
      await beginRotation(parts, projectId);
      const started = performance.now();
      const rotated = await continueRotation(parts, PACE, {
        projectId,
        signal: new AbortController().signal,
      });
      if (rotated?.state !== 'done') throw new Error(`the rotation is ${rotated?.state}`);
      rowsPerSecond.push((1_000 * SECRETS) / (performance.now() - started));
    }
    return { secrets: SECRETS, rowsPerSecond };
  } finally {
    await installation.close();
  }
}
