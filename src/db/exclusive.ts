import { createHash } from 'node:crypto';
import type { Db, Queryable } from './open.ts';

const AT_ONCE_MAX = 4;

/** Runs a transaction alone: no other of the same key runs, on any server, until it is committed. */
export type Exclusive = <T>(key: string, use: (tx: Queryable) => Promise<T>) => Promise<T>;

/**
 * Who waits for a turn on this server holds no connection, and few transactions at once wait for other
 * servers: however many ask, connections are left for everybody else.
 */
export function createExclusive(
  transaction: Db['transaction'],
  { connectionsMax }: { connectionsMax: number },
): Exclusive {
  const last = new Map<string, Promise<void>>();
  const inSlot = createSlots(Math.max(1, Math.min(AT_ONCE_MAX, connectionsMax - 1)));

  return async (key, use) => {
    const own = (last.get(key) ?? Promise.resolve()).then(
      async () =>
        await inSlot(
          async () =>
            await transaction(async (tx) => {
              const values = [lockNumber(key)];
              await tx.query({ name: 'lock', text: 'SELECT pg_advisory_xact_lock($1)', values });
              return await use(tx);
            }),
        ),
    );
    const ended = own.then(nothing, nothing);
    last.set(key, ended);
    try {
      return await own;
    } finally {
      if (last.get(key) === ended) last.delete(key);
    }
  };
}

function createSlots(slots: number): <T>(use: () => Promise<T>) => Promise<T> {
  let free = slots;
  const waiting: (() => void)[] = [];
  return async (use) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await use();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}

/** Two keys of one number would only wait for each other. */
function lockNumber(key: string): bigint {
  return createHash('sha256').update(`coffer:lock:${key}`).digest().readBigInt64BE();
}

function nothing(): void {}
