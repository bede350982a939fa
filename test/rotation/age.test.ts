import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRotationJob } from '../../src/rotation/job.ts';
import { USUAL_PACE } from '../../src/rotation/rotation.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { fillProject, type Kept, partsOf, readAll } from './stage.ts';

/** Between the two projects; the younger one may grow older by nearly as much while it is looked at. */
const SECONDS = 6;
const SWIFT = { ...USUAL_PACE, restSeconds: 0 };

let coffer: StartedCoffer;
let old: Person;
let young: Person;
let kept: Kept[];

beforeAll(async () => {
  coffer = await startCoffer({ env: { COFFER_WORKER: 'off' } });
  old = await coffer.person(['admin', 'creator'], 'old');
  kept = await fillProject(old, 5);
  await wait(SECONDS * 1_000);
  young = await coffer.person(['admin', 'creator'], 'young');
  await fillProject(young, 1);
});
afterAll(async () => await coffer.stop());

async function epochsOf({ projectId }: Person): Promise<bigint[]> {
  const { rows } = await coffer.installation.db.query<{ epoch: bigint }>({
    text: 'SELECT epoch FROM keks WHERE project_id = $1 ORDER BY epoch',
    values: [projectId],
  });
  return rows.map(({ epoch }) => epoch);
}

async function ageOf({ projectId }: Person): Promise<number> {
  const { rows } = await coffer.installation.db.query<{ age: number }>({
    text: 'SELECT extract(epoch FROM now() - created)::float8 AS age FROM keks WHERE project_id = $1',
    values: [projectId],
  });
  return rows[0]?.age ?? 0;
}

async function runJob(kekMaxAgeSeconds: number): Promise<void> {
  const job = createRotationJob(partsOf(coffer), { kekMaxAgeSeconds, pace: SWIFT });
  const { signal } = new AbortController();
  while ((await job(signal)) === 'more');
}

it('leaves KEKs of every age alone where no age is set', async () => {
  await runJob(0);
  expect([await epochsOf(old), await epochsOf(young)]).toEqual([[1n], [1n]]);
});

it('replaces a KEK that is past its age, once, and leaves a younger one alone', async () => {
  const [oldEpochs, youngEpochs] = [await epochsOf(old), await epochsOf(young)];
  await runJob((await ageOf(young)) + SECONDS - 0.5);
  expect(await epochsOf(old)).toEqual([(oldEpochs.at(-1) ?? 0n) + 1n]);
  expect(await epochsOf(young)).toEqual(youngEpochs);
  expect(await readAll(old, kept)).toEqual(kept.map(({ payload }) => payload));
});
