import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SYSTEM_PROJECT } from '../../src/db/layouts.ts';
import { BACKEND_KILLS } from '../faults/failing-backend.ts';
import { KILLS } from '../faults/failing-calls.ts';
import { rounds } from '../harness/rounds.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { Clients } from './clients.ts';
import { deafen } from './deafen.ts';
import { type Rotator, startRotator } from './rotator.ts';

// Rotations while clients read and write through two servers on one database. The second server is never told
// of anything: what it remembers is as old as it may be.

const POINTS_MIN = 40;
const POINTS_MAX = 400;
let one: StartedCoffer;
let two: StartedCoffer;
let person: Person;
let clients: Clients;

beforeAll(async () => {
  one = await startCoffer({ env: { COFFER_WORKER: 'off' } });
  two = await startCoffer({ beside: one, env: { COFFER_WORKER: 'off' } });
  await deafen(two);
  person = await one.person(['admin', 'creator'], 'busy');
});

afterAll(async () => {
  await two.stop();
  await one.stop();
});

beforeEach(async () => {
  clients = new Clients([one, two], person);
  await clients.start();
});

afterEach(async () => await clients.stop());

async function epochsOf(projectId: string): Promise<bigint[]> {
  const { rows } = await one.installation.db.query<{ epoch: bigint }>({
    text: 'SELECT epoch FROM keks WHERE project_id = $1',
    values: [projectId],
  });
  return rows.map(({ epoch }) => epoch);
}

/** The lease of one that was killed would run for half a minute. */
async function endLeases(): Promise<void> {
  await one.installation.db.query({ text: 'UPDATE kek_rotations SET leased_until = NULL' });
}

/** Whether the point was reached: a run that ends without it has no more. */
async function killAt(
  projectId: string,
  arm: (rotator: Rotator) => void,
  struck: (rotator: Rotator) => boolean,
) {
  const victim = await startRotator(one);
  arm(victim);
  const ended = await victim.rotate(projectId).then(
    () => 'completed',
    () => 'killed',
  );
  await victim.close();
  const isReached = struck(victim);
  // The last call of all may be done when it is killed.
  if (!isReached) expect(ended).toBe('completed');
  await endLeases();
  return isReached;
}

async function completeSecondRun(projectId: string): Promise<void> {
  const second = await startRotator(one);
  await second.rotate(projectId);
  await second.close();
  expect(await epochsOf(projectId)).toHaveLength(1);
}

/** Kills at each point, or at the share of them that is asked for, and gives the number of the last. */
async function killEverywhere(
  projectId: string,
  kill: (n: number) => Promise<boolean>,
): Promise<[number, number]> {
  const step = Math.round(100 / rounds(100));
  let killed = 0;
  for (let n = 1; n < POINTS_MAX; n += step) {
    if (!(await kill(n))) return [killed, n - 1];
    killed += 1;
    await completeSecondRun(projectId);
  }
  throw new Error('it never ends');
}

async function expectNothingLost(): Promise<string> {
  await clients.stop();
  expect(clients.tally.failures).toEqual([]);
  expect(await clients.compare()).toEqual([]);
  const { reads, writes } = clients.tally;
  expect(Math.min(reads, writes)).toBeGreaterThan(0);
  return `${reads} reads, ${writes} writes`;
}

const LONG = { timeout: 1_800_000 };

describe('a rotation of a KEK under reads and writes on two servers', () => {
  it.for(KILLS)(
    '%s any call to the database loses nothing, and the next completes',
    LONG,
    async (fault, { annotate }) => {
      const { projectId } = person;
      const [killed, last] = await killEverywhere(
        projectId,
        async (n) =>
          await killAt(
            projectId,
            ({ database }) => database.arm(fault, n),
            ({ database }) => database.hasStruck(),
          ),
      );
      expect(last).toBeGreaterThanOrEqual(POINTS_MIN);
      await annotate(`${killed} kills of ${last} calls, ${await expectNothingLost()}`);
    },
  );

  it.for(BACKEND_KILLS)(
    '%s any call to the backend loses nothing, and the next completes',
    LONG,
    async (fault, { annotate }) => {
      const { projectId } = person;
      const [killed, last] = await killEverywhere(
        projectId,
        async (n) =>
          await killAt(
            projectId,
            ({ backends }) => backends.arm(fault, n),
            ({ backends }) => backends.hasStruck(),
          ),
      );
      expect(last).toBeGreaterThanOrEqual(POINTS_MIN);
      await annotate(`${killed} kills of ${last} calls, ${await expectNothingLost()}`);
    },
  );

  it.for([
    ['twice at once, by two processes, ends with one KEK', (): string => person.projectId, 100],
    [
      'twice at once, of the system itself, ends with one KEK, and every token goes on',
      (): string => SYSTEM_PROJECT,
      30,
    ],
  ] as const)('%s', LONG, async ([, projectOf, full], { annotate }) => {
    const rotators = await Promise.all([startRotator(one), startRotator(two)]);
    for (let round = 0; round < rounds(full); round += 1) {
      await Promise.all(rotators.map(async (rotator) => await rotator.rotate(projectOf())));
      expect(await epochsOf(projectOf())).toHaveLength(1);
    }
    for (const rotator of rotators) await rotator.close();
    await annotate(`${rounds(full)} rounds, ${await expectNothingLost()}`);
  });
});
