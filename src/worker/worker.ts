import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from 'pino';
import { type Listener, listen } from '../db/listen.ts';
import type { Db } from '../db/open.ts';
import { CofferError } from '../errors.ts';
import type { Job } from './job.ts';
import { Rest } from './rest.ts';

export interface Worker {
  /** Begins to run these jobs, once. */
  start(jobs: readonly Job[]): void;
  /** There is work for a job: it runs now, here, or where this process runs no jobs, on the nodes that do. */
  wake(name: string): void;
  /** Ends the runs under way and begins none. */
  stop(): Promise<void>;
}

export interface WorkerParts {
  db: Db;
  log: Logger;
  metrics: { countJob(name: string, outcome: 'run' | 'failure'): void };
}

const CHANNEL = 'coffer_worker';
const FIRST_RETRY_MS = 500;
const RETRY_MS_MAX = 60_000;
const AWAY_RETRY_MS_MAX = 5_000;
/** Servers that start together do not begin together. */
const START_SPREAD_MS = 1_000;

/** Runs jobs, each in a loop of its own: none holds another up, and no failure of one ends the process. */
export function createWorker({ db, log, metrics }: WorkerParts): Worker {
  const stopping = new AbortController();
  const { signal } = stopping;
  const rests = new Map<string, Rest[]>();
  const loops: Promise<void>[] = [];
  let listener: Listener | undefined;

  const wakeHere = (name: string): void => {
    for (const rest of rests.get(name) ?? []) rest.wake();
  };

  return {
    start: (jobs) => {
      for (const job of jobs) {
        const own = Array.from({ length: job.parallel ?? 1 }, () => new Rest());
        rests.set(job.name, own);
        loops.push(...own.map(async (rest) => await runInLoop({ log, metrics }, job, rest, signal)));
      }
      listener = listen(db, CHANNEL, (name) => {
        // Without a name some may have been missed.
        for (const known of name === undefined ? rests.keys() : [name]) wakeHere(known);
      });
    },
    wake: (name) => {
      if (rests.has(name)) {
        wakeHere(name);
        return;
      }
      // Only sooner: each node looks for work by itself too.
      wakeNodes(db, name).catch((error: unknown) => {
        log.debug({ err: error, job: name }, 'no node was told of work');
      });
    },
    stop: async () => {
      stopping.abort();
      await listener?.close();
      await Promise.all(loops);
    },
  };
}

/** Tells every node that runs jobs of work for one of them, from a process that runs none. */
export async function wakeNodes(db: Pick<Db, 'query'>, name: string): Promise<void> {
  await db.query({ text: 'SELECT pg_notify($1, $2)', values: [CHANNEL, name] });
}

type Reports = Pick<WorkerParts, 'log' | 'metrics'>;

async function runInLoop(reports: Reports, job: Job, rest: Rest, signal: AbortSignal): Promise<void> {
  let failures = 0;
  await rest.rest(Math.random() * Math.min(START_SPREAD_MS, job.everyMs), signal);
  while (!signal.aborted) {
    const outcome = await runOnce(reports, job, signal);
    const hasFailed = outcome === 'failed' || outcome === 'away';
    failures = hasFailed ? failures + 1 : 0;
    if (hasFailed) {
      await rest.backOff(retryDelay(failures, outcome === 'away'), signal);
    } else if (outcome === 'more') {
      await nextTurn();
    } else {
      await rest.rest(job.everyMs * (0.9 + Math.random() * 0.2), signal);
    }
  }
}

async function runOnce(
  { log, metrics }: Reports,
  job: Job,
  signal: AbortSignal,
): Promise<'more' | 'done' | 'failed' | 'away'> {
  metrics.countJob(job.name, 'run');
  try {
    return await job.run(signal);
  } catch (error) {
    if (signal.aborted) return 'done';
    metrics.countJob(job.name, 'failure');
    const isAway = error instanceof CofferError && error.code === 'unavailable';
    if (isAway) log.debug({ job: job.name }, 'a job waits for what is not available');
    else log.error({ err: error, job: job.name }, 'a job failed; it is tried again');
    return isAway ? 'away' : 'failed';
  }
}

/** Longer each time, and never the same on two nodes. */
function retryDelay(failures: number, isAway: boolean): number {
  const most = isAway ? AWAY_RETRY_MS_MAX : RETRY_MS_MAX;
  return Math.min(most, FIRST_RETRY_MS * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
}
