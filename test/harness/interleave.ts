import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Query = (...args: unknown[]) => Promise<unknown> | undefined;

/** A call that waits for a lock is not waited for: others go on, and one of them gives the lock back. */
const BLOCKED_AFTER_MS = 4;

export interface Interleaving {
  /** Runs the tasks at once; which of them makes the next call to the database is drawn from the seed. */
  run<T>(seed: number, tasks: readonly (() => Promise<T>)[]): Promise<PromiseSettledResult<T>[]>;
}

/** Holds every call through these pools back until its turn comes, while tasks are run. */
export function interleave(pools: readonly pg.Pool[]): Interleaving {
  const patched = new WeakSet<pg.PoolClient>();
  const waiting: (() => Promise<void>)[] = [];
  let isOn = false;

  const held = async (call: () => Promise<unknown> | undefined): Promise<unknown> => {
    return await new Promise((resolve, reject) => {
      waiting.push(async () => {
        const done = Promise.resolve(call());
        done.then(resolve, reject);
        await done.catch(() => {});
      });
    });
  };

  for (const pool of pools) {
    pool.on('acquire', (client) => {
      if (patched.has(client)) return;
      patched.add(client);
      const query = client.query.bind(client) as unknown as Query;
      const turned = (...args: unknown[]): Promise<unknown> | undefined => {
        if (!isOn) return query(...args);
        const callback = args.at(-1);
        if (typeof callback !== 'function') return held(() => query(...args));
        void held(
          async () =>
            await new Promise<void>((resolve) => {
              void query(...args.slice(0, -1), (...results: unknown[]) => {
                resolve();
                Reflect.apply(callback, undefined, results);
              });
            }),
        );
        return undefined;
      };
      client.query = turned as unknown as typeof client.query;
    });
  }

  return {
    run: async (seed, tasks) => {
      const random = randomFrom(seed);
      isOn = true;
      let ended = 0;
      const results = tasks.map(async (task) => {
        try {
          return await task();
        } finally {
          ended += 1;
        }
      });
      const settled = Promise.allSettled(results);
      while (ended < tasks.length) {
        await new Promise((resolve) => setImmediate(resolve));
        if (waiting.length === 0) {
          await sleep(1);
          continue;
        }
        const [next] = waiting.splice(Math.floor(random() * waiting.length), 1);
        await Promise.race([next?.(), sleep(BLOCKED_AFTER_MS)]);
      }
      isOn = false;
      for (const rest of waiting.splice(0)) void rest();
      return await settled;
    },
  };
}
