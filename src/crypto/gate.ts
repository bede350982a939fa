import { CofferError } from '../errors.ts';

export type Gate = <T>(work: () => Promise<T>) => Promise<T>;

interface GateOptions {
  atOnceMax: number;
  waitingMax: number;
  /** What is said to who finds the queue full. */
  busy: string;
}

/**
 * Lets so many run at once and so many wait, in the order they came.
 *
 * The gate throws CofferError `unavailable` when the queue is full, and whatever the work throws.
 */
export function createGate({ atOnceMax, waitingMax, busy }: GateOptions): Gate {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= atOnceMax) {
      if (waiting.length >= waitingMax) throw new CofferError('unavailable', busy, { retryAfterSeconds: 2 });
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
