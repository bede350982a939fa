import { CofferError } from '../errors.ts';

/** Runs the work when its turn comes. Who waits in one queue is kept back by others of it alone. */
export type Gate = <T>(work: () => Promise<T>, queue?: string) => Promise<T>;

interface GateOptions {
  atOnceMax: number;
  /** In each queue. */
  waitingMax: number;
  /** What is said to who finds the queue full. */
  busy: string;
}

/** That a queue is full, and nothing else that is unavailable. */
export class GateFull extends CofferError {
  constructor(busy: string) {
    super('unavailable', busy, { retryAfterSeconds: 2 });
  }
}

/**
 * Lets so many run at once, and so many wait in each queue, in the order they came; queues take turns.
 *
 * The gate throws GateFull when the queue is full, and whatever the work throws.
 */
export function createGate({ atOnceMax, waitingMax, busy }: GateOptions): Gate {
  let running = 0;
  // The queue whose turn is next is the first; an empty one is not kept.
  const queues = new Map<string, (() => void)[]>();
  function takeNext(): (() => void) | undefined {
    const [turn] = queues;
    if (turn === undefined) return undefined;
    const [name, waiting] = turn;
    const next = waiting.shift();
    queues.delete(name);
    if (waiting.length > 0) queues.set(name, waiting);
    return next;
  }
  return async (work, queue = '') => {
    if (running >= atOnceMax) {
      const waiting = queues.get(queue) ?? [];
      if (waiting.length >= waitingMax) throw new GateFull(busy);
      queues.set(queue, waiting);
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running += 1;
    try {
      return await work();
    } finally {
      const next = takeNext();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
