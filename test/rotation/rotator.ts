import { setTimeout as wait } from 'node:timers/promises';
import { pino } from 'pino';
import { loadConfig } from '../../src/config.ts';
import { openInstallation } from '../../src/installation.ts';
import { Keyring } from '../../src/keyring/keyring.ts';
import type { RotationPace } from '../../src/rotation/moving.ts';
import { findRotation } from '../../src/rotation/queries.ts';
import type { RotationParts } from '../../src/rotation/rewrap.ts';
import { beginRotation, continueRotation } from '../../src/rotation/rotation.ts';
import { type FailingBackends, failBackendsOf } from '../faults/failing-backend.ts';
import { type FailingCalls, failCallsOf } from '../faults/failing-calls.ts';
import type { StartedCoffer } from '../harness/start-coffer.ts';

/** Old keys stay for as long as a request may be under way, on a machine that is busy with tests. */
const PACE: RotationPace = { rowsAtOnce: 5, rowsPerSecond: 1_000_000, restSeconds: 0.5 };
const LOOK_EVERY_MS = 150;

/** A process of its own beside the servers, as the one of `coffer kek rotate`, which can be killed. */
export interface Rotator {
  parts: RotationParts;
  database: FailingCalls;
  backends: FailingBackends;
  /** Makes a new KEK for a project, and stays until the old ones are destroyed. */
  rotate(projectId: string): Promise<void>;
  close(): Promise<void>;
}

export async function startRotator(
  { env }: StartedCoffer,
  { restSeconds = PACE.restSeconds } = {},
): Promise<Rotator> {
  const pace = { ...PACE, restSeconds };
  const { config } = loadConfig({ flags: {}, env, cwd: '/' });
  const options = { purpose: 'command', createMissing: false, allowEmpty: false, say: () => {} } as const;
  const installation = await openInstallation(config, options);
  const { db } = installation;
  const database = failCallsOf(db.pool);
  const backends = failBackendsOf(installation.keyring.stores, () => database.kill());
  const { installationId, finishedMigration } = installation.keyring;
  const keyring = new Keyring({
    db,
    stores: backends.stores,
    installationId,
    finishedMigration,
    now: () => performance.now(),
    date: () => new Date(),
  });
  const parts: RotationParts = {
    db,
    keyring,
    clock: { now: () => new Date() },
    log: pino({ level: 'silent' }),
    integrityViolations: { count: refuseViolation },
  };
  return {
    parts,
    database,
    backends,
    rotate: async (projectId) => {
      await beginRotation(parts, projectId);
      await finish(parts, pace, projectId);
    },
    close: async () => await installation.close(),
  };
}

async function finish(parts: RotationParts, pace: RotationPace, projectId: string): Promise<void> {
  const { signal } = new AbortController();
  for (;;) {
    const advanced = await continueRotation(parts, pace, { projectId, signal });
    if (advanced?.state === 'blocked') throw new Error('the rotation is blocked');
    if ((await findRotation(parts.db, projectId)) === undefined) return;
    await wait(LOOK_EVERY_MS);
  }
}

function refuseViolation(where: string): never {
  throw new Error(`a row of ${where} does not verify`);
}
