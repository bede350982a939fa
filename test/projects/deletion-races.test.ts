import { afterAll, beforeAll, expect, it } from 'vitest';
import { CofferError } from '../../src/errors.ts';
import { deleteProject } from '../../src/projects/deletion.ts';
import { interleave, type Interleaving, randomFrom } from '../harness/interleave.ts';
import { rounds } from '../harness/rounds.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { countLeft, deletionJob, fillQuickly, finishDeletion, letIn, writeSecret } from './doomed-project.ts';

const ROUNDS = rounds(1_000);

let one: StartedCoffer;
let two: StartedCoffer;
let user: Person;
let turns: Interleaving;

beforeAll(async () => {
  one = await startCoffer({ env: { COFFER_WORKER: 'off' } });
  two = await startCoffer({ beside: one });
  user = await one.person(['observer']);
  turns = interleave([one.installation.db.pool, two.installation.db.pool]);
});

afterAll(async () => {
  await two.stop();
  await one.stop();
});

it('leaves nothing of creations that race the deletion of their project, on two servers', {
  timeout: 60_000 + ROUNDS * 2_000,
}, async () => {
  let written = 0;
  let refused = 0;
  for (let seed = 1; seed <= ROUNDS; seed += 1) {
    const random = randomFrom(seed);
    const anyServer = (): StartedCoffer => (random() < 0.5 ? one : two);
    const projectId = await fillQuickly(one, user.userId);
    const caller = letIn(user.userId, projectId);
    if (random() < 0.5) two.installation.keyring.forgetProject();
    const write = async (server: StartedCoffer): Promise<string> =>
      await writeSecret(server.server.coffer, caller);
    const work = async (server: StartedCoffer): Promise<string> => {
      await deleteProject(server.server.coffer, projectId);
      await Promise.allSettled([deletionJob(one, 600)(), deletionJob(two, 600)()]);
      return 'deleted';
    };
    const [deletion, ...creations] = await turns.run(seed, [
      async () => await work(anyServer()),
      async () => await write(one),
      async () => await write(two),
      async () => await write(anyServer()),
    ]);
    expect(deletion, `seed ${seed}`).toMatchObject({ status: 'fulfilled' });
    for (const creation of creations) {
      if (creation.status === 'fulfilled') written += 1;
      else {
        refused += 1;
        expect(creation.reason, `seed ${seed}`).toBeInstanceOf(CofferError);
        expect(['forbidden', 'unavailable', 'not_found'], `seed ${seed}`).toContain(creation.reason.code);
      }
    }
    await finishDeletion(one, 600);
    expect(await countLeft(two, projectId), `seed ${seed}`).toEqual({ projects: 1 });
    await finishDeletion(two);
    expect(await countLeft(two, projectId), `seed ${seed}`).toEqual({});
  }
  // Both happen, or the race was none.
  expect(Math.min(written, refused)).toBeGreaterThan(ROUNDS / 10);
});
