import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Coffer } from '../../src/coffer.ts';
import { createOrderRun } from '../../src/orders/execution.ts';
import { beginRotation } from '../../src/rotation/rotation.ts';
import type { StartedCoffer } from '../harness/start-coffer.ts';
import { finishRotation, partsOf } from '../rotation/stage.ts';
import { countOf, PAIR, startWithoutWorker, submit, working } from './order-stage.ts';

let server: StartedCoffer;
beforeAll(async () => {
  server = await startWithoutWorker();
});
afterAll(async () => await server.stop());

/** A coffer in which something happens, for a minute, once the passphrase of an order is open. */
function meanwhile(coffer: Coffer, happens: () => Promise<void>): { slow: Coffer; opened: () => number } {
  let opened = 0;
  const open: Coffer['keyring']['open'] = async (...asked) => {
    opened += 1;
    const passphrase = await coffer.keyring.open(...asked);
    await happens();
    return passphrase;
  };
  const keyring = new Proxy(coffer.keyring, {
    get: (keys, name) => {
      if (name === 'open') return open;
      const value: unknown = Reflect.get(keys, name, keys);
      return typeof value === 'function' ? value.bind(keys) : value;
    },
  });
  const clock = { now: () => new Date(Date.now() + opened * 60_000) };
  return { slow: { ...coffer, keyring, clock }, opened: () => opened };
}

it('keeps a pair whose generation took longer than a rotation of the keys of its order', async () => {
  const person = await server.person(['admin', 'creator'], 'rotated');
  const { coffer } = server.server;
  const reference = await submit(person, PAIR);
  const { slow, opened } = meanwhile(coffer, async () => {
    const { active_epoch: active } = await beginRotation(partsOf(server), person.projectId);
    expect([active, await finishRotation(partsOf(server), person.projectId)]).toEqual([2n, 'done']);
  });
  const outcomes: string[] = [];
  const rolesNow = async ({ roles }: { roles: readonly string[] }): Promise<readonly string[]> => roles;
  const countOutcome = (_lane: string, outcome: string): void => void outcomes.push(outcome);
  await createOrderRun({ coffer: slow, rolesNow, countOutcome }, 'asymmetric')(working);
  expect([outcomes, opened()]).toEqual([['active'], 1]);
  expect((await person.client.get(reference)).json.status).toBe('ACTIVE');
  expect(await countOf(coffer, person.projectId)).toEqual({
    orders: 1,
    secrets: 3,
    containers: 1,
    leases: 0,
  });
});
