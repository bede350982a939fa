import { expect } from 'vitest';
import { BACKEND_KILLS } from '../faults/failing-backend.ts';
import { KILLS } from '../faults/failing-calls.ts';
import { rounds } from '../harness/rounds.ts';
import type { Person, StartedCoffer } from '../harness/start-coffer.ts';
import { startCoffer } from '../harness/start-coffer.ts';
import type { Clients } from './clients.ts';
import { deafen } from './deafen.ts';
import { type Rotator, startRotator } from './rotator.ts';

/** The full rounds take minutes. */
export const LONG = { timeout: 1_800_000 };
const POINTS_MIN = 40;
const POINTS_MAX = 1_000;

/** Two servers on one database. The second is never told of anything: its memory is as old as it may be. */
export interface Busy {
  one: StartedCoffer;
  two: StartedCoffer;
  person: Person;
  stop(): Promise<void>;
}

export async function startBusy(): Promise<Busy> {
  const one = await startCoffer({ env: { COFFER_WORKER: 'off' } });
  const two = await startCoffer({ beside: one, env: { COFFER_WORKER: 'off' } });
  await deafen(two);
  return {
    one,
    two,
    person: await one.person(['admin', 'creator'], 'busy'),
    stop: async () => {
      await two.stop();
      await one.stop();
    },
  };
}

/** A process that is killed at its n-th call of one kind. */
export interface Kill {
  title: string;
  arm(rotator: Rotator, n: number): void;
  hasStruck(rotator: Rotator): boolean;
}

export const EVERY_KILL: readonly Kill[] = [
  ...KILLS.map((fault) => ({
    title: `${fault} any call to the database`,
    arm: ({ database }: Rotator, n: number) => database.arm(fault, n),
    hasStruck: ({ database }: Rotator) => database.hasStruck(),
  })),
  ...BACKEND_KILLS.map((fault) => ({
    title: `${fault} any call to the backend`,
    arm: ({ backends }: Rotator, n: number) => backends.arm(fault, n),
    hasStruck: ({ backends }: Rotator) => backends.hasStruck(),
  })),
];

/** What is killed, and what must hold once the next run is complete. */
export interface Work {
  run: (rotator: Rotator) => Promise<unknown>;
  check: () => Promise<void>;
}

/**
 * Kills a run at each call, or at the share of them that is asked for, and each time has another run
 * complete, until a run ends without meeting its fate.
 */
export async function killEverywhere({ one }: Busy, kill: Kill, work: () => Work): Promise<string> {
  const step = Math.round(100 / rounds(100));
  let killed = 0;
  for (let n = 1; n < POINTS_MAX; n += step) {
    const { run, check } = work();
    const victim = await startRotator(one);
    kill.arm(victim, n);
    const outcome = await run(victim).then(
      () => 'completed',
      () => 'killed',
    );
    await victim.close();
    await endLeases(one);
    const second = await startRotator(one);
    await run(second);
    await second.close();
    await check();
    if (!kill.hasStruck(victim)) {
      expect(outcome).toBe('completed');
      expect(n - 1).toBeGreaterThanOrEqual(POINTS_MIN);
      return `${killed} kills of ${n - 1} calls`;
    }
    killed += 1;
  }
  throw new Error('it never ends');
}

/** The lease of one that was killed would run for half a minute. */
async function endLeases({ installation }: StartedCoffer): Promise<void> {
  await installation.db.query({ text: 'UPDATE kek_rotations SET leased_until = NULL' });
}

/** Stops the clients: none was refused, and each secret is what it was on each server. */
export async function expectNothingLost(clients: Clients): Promise<string> {
  await clients.stop();
  expect(clients.tally.failures).toEqual([]);
  expect(await clients.compare()).toEqual([]);
  const { reads, writes } = clients.tally;
  expect(Math.min(reads, writes)).toBeGreaterThan(0);
  return `${reads} reads, ${writes} writes`;
}
