import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Coffer } from '../../src/coffer.ts';
import { rounds } from '../harness/rounds.ts';
import type { Person, StartedCoffer } from '../harness/start-coffer.ts';
import { type Fate, mortalDb } from './mortal-database.ts';
import {
  countOf,
  empty,
  endLeases,
  KEY,
  PAIR,
  runOf,
  startWithoutWorker,
  submit,
  workOff,
  working,
} from './order-stage.ts';

const CALLS_MAX = 40;
let server: StartedCoffer;
let coffer: Coffer;
let person: Person;
beforeAll(async () => {
  server = await startWithoutWorker();
  ({ coffer } = server.server);
  person = await server.person(['admin', 'creator']);
});
afterAll(async () => await server.stop());

const KINDS = [
  { lane: 'key', body: KEY, made: { orders: 1, secrets: 1, containers: 0, leases: 0 } },
  { lane: 'asymmetric', body: PAIR, made: { orders: 1, secrets: 3, containers: 1, leases: 0 } },
] as const;

/** Whether the worker met its fate. */
async function workUntilKilled(lane: 'key' | 'asymmetric', fate: Fate): Promise<boolean> {
  const { db, hasDied } = mortalDb(coffer.db, fate);
  await runOf({ ...coffer, db }, lane)(working).catch(() => {});
  return hasDied();
}

async function expectOneResult(reference: string): Promise<void> {
  const order = (await person.client.get(reference)).json;
  expect(order.status).toBe('ACTIVE');
  const slots = order.container_ref && (await person.client.get(order.container_ref)).json.secret_refs;
  const references = slots
    ? slots.map((slot: { secret_ref: string }) => slot.secret_ref)
    : [order.secret_ref];
  for (const secret of references) expect((await person.client.get(`${secret}/payload`)).status).toBe(200);
}

describe.each(KINDS)('a worker on a $lane order', ({ lane, body, made }) => {
  it.each([false, true])(
    'killed at any call (done: %s) leaves it to the next, with one result',
    async (done) => {
      for (let at = 1; ; at += 1) {
        await empty(coffer, person.projectId);
        const reference = await submit(person, body);
        const hasDied = await workUntilKilled(lane, { at, done });
        await endLeases(coffer);
        await workOff(coffer, lane);
        expect(await countOf(coffer, person.projectId), `killed at call ${at}`).toEqual(made);
        await expectOneResult(reference);
        if (!hasDied) break;
        expect(at).toBeLessThan(CALLS_MAX);
      }
    },
  );
});

it('however often workers are killed, an order has one result, or ends in ERROR without one', async () => {
  let failures = 0;
  for (let round = 0; round < rounds(200); round += 1) {
    await empty(coffer, person.projectId);
    const reference = await submit(person, KEY);
    const kills = round % 8;
    for (let kill = 0; kill < kills; kill += 1) {
      const at = 2 + ((round * 7 + kill * 5) % 6);
      await workUntilKilled('key', { at, done: (round + kill) % 2 === 0 });
      await endLeases(coffer);
    }
    await workOff(coffer, 'key');
    const order = (await person.client.get(reference)).json;
    const secrets = order.status === 'ACTIVE' ? 1 : 0;
    failures += 1 - secrets;
    expect(['ACTIVE', 'ERROR']).toContain(order.status);
    expect(await countOf(coffer, person.projectId)).toEqual({ orders: 1, secrets, containers: 0, leases: 0 });
    if (secrets === 0) {
      expect(kills).toBeGreaterThanOrEqual(5);
      expect(order.error_status_code).toBe('500');
    }
  }
  expect(failures).toBeGreaterThan(0);
});
