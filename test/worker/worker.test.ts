import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { CofferError } from '../../src/errors.ts';
import type { Job } from '../../src/worker/job.ts';
import { createWorker, wakeNodes, type Worker } from '../../src/worker/worker.ts';
import { createTestDatabase, type TestDatabase } from '../db/test-database.ts';

let database: TestDatabase;
const workers: Worker[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map(async (worker) => await worker.stop()));
});
afterAll(async () => await database.drop());

interface Observed {
  worker: Worker;
  counted: string[];
  lines: { level: number; job?: string }[];
}

function observe(): Observed {
  const counted: string[] = [];
  const lines: Observed['lines'] = [];
  const worker = createWorker({
    db: database.db,
    log: pino({ level: 'debug' }, { write: (line) => void lines.push(JSON.parse(line)) }),
    metrics: { countJob: (name, outcome) => void counted.push(`${name} ${outcome}`) },
  });
  workers.push(worker);
  return { worker, counted, lines };
}

const HOUR = 3_600_000;

function job(name: string, run: Job['run'], everyMs = HOUR): Job {
  return { name, everyMs, run };
}

/** Until the worker hears messages, which begins with a wake of every job. */
async function startHearing(worker: Worker, jobs: readonly Job[]): Promise<void> {
  let runs = 0;
  const hearing = async (): Promise<'done'> => {
    runs += 1;
    return 'done';
  };
  worker.start([...jobs, job('hearing', hearing)]);
  // One run is that of the start: it comes by itself in a second, or with the wake.
  const countWoken = async (): Promise<number> => {
    await wakeNodes(database.db, 'hearing');
    return runs;
  };
  await expect.poll(countWoken).toBeGreaterThan(1);
}

it('runs a job again at once as long as there is more, and then rests', async () => {
  const { worker, counted } = observe();
  let left = 5;
  worker.start([job('count', async () => ((left -= 1) > 0 ? 'more' : 'done'))]);
  await expect.poll(() => left, { timeout: 5_000 }).toBeLessThanOrEqual(0);
  await new Promise((resolve) => setTimeout(resolve, 100));
  // Hearing of messages begins with a wake, which may come after the last of the five.
  expect([0, -1]).toContain(left);
  expect(counted).toEqual(Array.from({ length: 5 - left }, () => 'count run'));
});

it('runs a job that is woken, also when it is woken while it runs', async () => {
  const { worker } = observe();
  let runs = 0;
  let isHeard = false;
  let release = (): void => {};
  await startHearing(worker, [
    job('sleeper', async () => {
      if (!isHeard) return 'done';
      runs += 1;
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return 'done';
    }),
  ]);
  isHeard = true;
  worker.wake('sleeper');
  await expect.poll(() => runs).toBe(1);
  worker.wake('sleeper');
  release();
  await expect.poll(() => runs).toBe(2);
  release();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(runs).toBe(2);
});

it('wakes the jobs of another process from one that runs none', async () => {
  const { worker: here } = observe();
  const { worker: elsewhere } = observe();
  let runs = 0;
  await startHearing(elsewhere, [
    job('remote', async () => {
      runs += 1;
      return 'done';
    }),
  ]);
  const before = runs;
  here.wake('remote');
  here.wake('unknown');
  await expect.poll(() => runs, { interval: 5 }).toBe(before + 1);
});

it('tries a failed job again, says so in log and metrics, and holds no other job up', async () => {
  const { worker, counted, lines } = observe();
  let failed = 0;
  let others = 0;
  worker.start([
    job('broken', async () => {
      failed += 1;
      throw new Error('broken on purpose');
    }),
    job('sound', async () => ((others += 1) % 2 === 1 ? 'more' : 'done'), 10),
  ]);
  await expect.poll(() => failed, { timeout: 10_000 }).toBeGreaterThan(2);
  expect(others).toBeGreaterThan(20);
  expect(counted.filter((entry) => entry === 'broken failure')).toHaveLength(failed);
  const errors = lines.filter(({ level }) => level === 50);
  expect(errors).toHaveLength(failed);
  expect(errors.every(({ job: name }) => name === 'broken')).toBe(true);
});

it('waits without a word in the log while the database is away', async () => {
  const { worker, counted, lines } = observe();
  let runs = 0;
  worker.start([
    job('away', async () => {
      runs += 1;
      throw new CofferError('unavailable', 'The database is not available; try again.');
    }),
  ]);
  await expect.poll(() => runs, { timeout: 10_000 }).toBeGreaterThan(1);
  expect(counted).toContain('away failure');
  expect(lines.filter(({ level }) => level >= 40)).toEqual([]);
});

it('ends the run under way when it stops, and begins no other', async () => {
  const { worker, counted } = observe();
  const seen: string[] = [];
  worker.start([
    job('long', async (signal) => {
      seen.push('begun');
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      await new Promise((resolve) => setTimeout(resolve, 30));
      seen.push('ended');
      return 'more';
    }),
    job('resting', async () => 'done'),
  ]);
  worker.wake('long');
  await expect.poll(() => seen).toEqual(['begun']);
  await worker.stop();
  expect(seen).toEqual(['begun', 'ended']);
  expect(counted.filter((entry) => entry === 'long run')).toHaveLength(1);
});

it('runs as many at once as a job allows', async () => {
  const { worker } = observe();
  let under = 0;
  let most = 0;
  let runs = 0;
  worker.start([
    {
      name: 'pair',
      everyMs: HOUR,
      parallel: 2,
      run: async () => {
        under += 1;
        most = Math.max(most, under);
        await new Promise((resolve) => setTimeout(resolve, 20));
        under -= 1;
        return (runs += 1) < 10 ? 'more' : 'done';
      },
    },
  ]);
  worker.wake('pair');
  await expect.poll(() => runs).toBeGreaterThanOrEqual(10);
  expect(most).toBe(2);
});
