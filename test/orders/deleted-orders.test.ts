import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Coffer } from '../../src/coffer.ts';
import type { Db, Queryable } from '../../src/db/open.ts';
import { rounds } from '../harness/rounds.ts';
import { type Client, rawClient } from '../contract/raw-http.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import {
  countOf,
  empty,
  KEY,
  PAIR,
  runOf,
  startWithoutWorker,
  submit,
  workOff,
  working,
} from './order-stage.ts';

let server: StartedCoffer;
let other: StartedCoffer;
let elsewhere: Client;
let coffer: Coffer;
let person: Person;
beforeAll(async () => {
  server = await startWithoutWorker();
  ({ coffer } = server.server);
  other = await startCoffer({ beside: server, env: { COFFER_WORKER: 'off' } });
  person = await server.person(['admin', 'creator']);
  elsewhere = rawClient(other.url, person.token);
});
afterAll(async () => {
  await other.stop();
  await server.stop();
});

/** Numbers from 0 to 1 that a seed decides (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Waits a little before each call, as long as the seed says. */
function slowed(db: Db, random: () => number): Db {
  const slow =
    (target: Queryable): Queryable['query'] =>
    async (statement) => {
      await sleep(random() * 3);
      return await target.query(statement);
    };
  return {
    ...db,
    query: slow(db),
    transaction: async (use) => await db.transaction(async (tx) => await use({ query: slow(tx) })),
  };
}

const KINDS = [
  { lane: 'key', body: KEY, whole: { orders: 0, secrets: 1, containers: 0, leases: 0 }, full: 900 },
  { lane: 'asymmetric', body: PAIR, whole: { orders: 0, secrets: 3, containers: 1, leases: 0 }, full: 250 },
] as const;
const NOTHING = { orders: 0, secrets: 0, containers: 0, leases: 0 };

async function timeOf(lane: 'key' | 'asymmetric', body: object): Promise<number> {
  await submit(person, body);
  const begun = performance.now();
  await runOf({ ...coffer, db: slowed(coffer.db, seeded(0)) }, lane)(working);
  return performance.now() - begun;
}

it.each(KINDS)(
  'a $lane order that is deleted on another server while it runs leaves all of its result or nothing, and no lease',
  async ({ lane, body, whole, full }) => {
    const ends = { nothing: 0, whole: 0 };
    let typicalMs = await timeOf(lane, body);
    const areBoth = (): boolean => Math.min(ends.nothing, ends.whole) > 0;
    // What comes of a round depends on the speed of the machine: a few more where one end was missed.
    for (let seed = 1; seed <= rounds(full) || (!areBoth() && seed <= 2 * full); seed += 1) {
      const random = seeded(seed);
      await empty(coffer, person.projectId);
      const reference = await submit(person, body);
      const begun = performance.now();
      const work = runOf({ ...coffer, db: slowed(coffer.db, random) }, lane)(working);
      const deletion = sleep(random() * 1.5 * typicalMs).then(async () => await elsewhere.delete(reference));
      const [deleted] = await Promise.all([
        deletion,
        work.then(() => (typicalMs = 0.8 * typicalMs + 0.2 * (performance.now() - begun))),
      ]);
      expect([seed, deleted.status]).toEqual([seed, 204]);
      const left = await countOf(coffer, person.projectId);
      expect([NOTHING, whole], `seed ${seed}`).toContainEqual(left);
      ends[left.secrets === 0 ? 'nothing' : 'whole'] += 1;
    }
    console.info(`${lane} orders deleted while they run: ${JSON.stringify(ends)}`);
    expect(areBoth(), JSON.stringify(ends)).toBe(true);
    await workOff(coffer, lane);
  },
);
