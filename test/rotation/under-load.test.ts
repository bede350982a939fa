import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SYSTEM_PROJECT } from '../../src/db/layouts.ts';
import { rounds } from '../harness/rounds.ts';
import { type Busy, EVERY_KILL, expectNothingLost, killEverywhere, LONG, startBusy } from './busy-stage.ts';
import { Clients } from './clients.ts';
import { startRotator } from './rotator.ts';

let busy: Busy;
let clients: Clients;

beforeAll(async () => {
  busy = await startBusy();
});

afterAll(async () => await busy.stop());

beforeEach(async () => {
  clients = new Clients([busy.one, busy.two], busy.person);
  await clients.start();
});

afterEach(async () => await clients.stop());

async function expectOneEpoch(projectId: string): Promise<void> {
  const { rows } = await busy.one.installation.db.query({
    text: 'SELECT epoch FROM keks WHERE project_id = $1',
    values: [projectId],
  });
  expect(rows).toHaveLength(1);
}

describe('a rotation of a KEK under reads and writes on two servers', () => {
  it.for(EVERY_KILL)('$title loses nothing, and the next completes', LONG, async (kill, { annotate }) => {
    const { projectId } = busy.person;
    const points = await killEverywhere(busy, kill, () => ({
      run: async (rotator) => await rotator.rotate(projectId),
      check: async () => await expectOneEpoch(projectId),
    }));
    await annotate(`${points}, ${await expectNothingLost(clients)}`);
  });

  it.for([
    ['by two processes, ends with one KEK', (): string => busy.person.projectId, 100],
    ['of the system itself, ends with one KEK, and every token goes on', (): string => SYSTEM_PROJECT, 30],
  ] as const)('twice at once, %s', LONG, async ([, projectOf, full], { annotate }) => {
    const rotators = await Promise.all([startRotator(busy.one), startRotator(busy.two)]);
    for (let round = 0; round < rounds(full); round += 1) {
      await Promise.all(rotators.map(async (rotator) => await rotator.rotate(projectOf())));
      await expectOneEpoch(projectOf());
    }
    for (const rotator of rotators) await rotator.close();
    await annotate(`${rounds(full)} rounds, ${await expectNothingLost(clients)}`);
  });
});
