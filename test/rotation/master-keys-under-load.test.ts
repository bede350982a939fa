import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addMasterKey } from '../../src/rotation/master-keys.ts';
import { rotateMasterKey } from '../../src/rotation/master-key-rotation.ts';
import { rounds } from '../harness/rounds.ts';
import { type Busy, EVERY_KILL, expectNothingLost, killEverywhere, LONG, startBusy } from './busy-stage.ts';
import { Clients } from './clients.ts';
import { masterKeysOf, unwatched } from './master-key-stage.ts';
import { type Rotator, startRotator } from './rotator.ts';

const store = 'software';
const KEYS = ['mk-a', 'mk-b'] as const;
const PROJECTS = 20;
let busy: Busy;
let turn = 0;

beforeAll(async () => {
  busy = await startBusy();
  const operator = await startRotator(busy.one);
  for (const id of KEYS) await addMasterKey(operator.parts, { store, id });
  for (let n = 0; n < PROJECTS; n += 1) await operator.parts.keyring.useProject(`idle-${n}`);
  await operator.close();
  // What SIGHUP does.
  for (const { installation } of [busy.one, busy.two]) {
    await installation.keyring.stores.get(store).reload(async () => {});
  }
});

afterAll(async () => await busy.stop());

const moveTo = async ({ parts }: Rotator, to: string): Promise<void> => {
  expect((await rotateMasterKey(parts, { store, to }, unwatched)).failed).toEqual([]);
};

async function expectAllUnder(to: string): Promise<void> {
  const others = Object.entries(await masterKeysOf(busy.one.installation.db)).filter(([, id]) => id !== to);
  expect(others).toEqual([]);
}

/** What is open is forgotten: each KEK is opened again, as it is now. */
function forgetKeks(): void {
  for (const { installation } of [busy.one, busy.two]) {
    for (const id of [busy.person.projectId, 'system']) installation.keyring.forgetKeys(id);
  }
}

describe('a rotation of the master key under reads and writes on two servers', () => {
  it.for(EVERY_KILL)('$title loses nothing, and the next completes', LONG, async (kill, { annotate }) => {
    const clients = new Clients([busy.one, busy.two], busy.person);
    await clients.start();
    const points = await killEverywhere(busy, kill, () => {
      turn += 1;
      const to = KEYS[turn % KEYS.length] as string;
      return {
        run: async (rotator) => {
          forgetKeks();
          await moveTo(rotator, to);
        },
        check: async () => await expectAllUnder(to),
      };
    });
    await annotate(`${points}, ${await expectNothingLost(clients)}`);
  });

  it('twice at once, and of the KEK besides, ends with one of each', LONG, async ({ annotate }) => {
    const clients = new Clients([busy.one, busy.two], busy.person);
    await clients.start();
    const [first, second] = await Promise.all([startRotator(busy.one), startRotator(busy.two)]);
    for (let round = 0; round < rounds(100); round += 1) {
      turn += 1;
      const to = KEYS[turn % KEYS.length] as string;
      await Promise.all([moveTo(first, to), moveTo(second, to), second.rotate(busy.person.projectId)]);
      await moveTo(first, to);
      await expectAllUnder(to);
    }
    await first.close();
    await second.close();
    await annotate(`${rounds(100)} rounds, ${await expectNothingLost(clients)}`);
  });
});
