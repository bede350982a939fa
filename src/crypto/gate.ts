import { CofferError } from '../errors.ts';

/** Runs the work when its turn comes. Who waits in one queue is kept back by others of it alone. */
export type Gate = <T>(work: () => Promise<T>, queue?: string) => Promise<T>;

interface GateOptions {
  atOnceMax: number;
  /** In each queue. */
  waitingMax: number;
  /** In all queues together, where anybody may have many of them. */
  waitingInAllMax?: number;
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
 * The gate throws GateFull when the queue is full, or all of them together, and whatever the work throws.
 */
export function createGate(options: GateOptions): Gate {
  const { atOnceMax, waitingMax, waitingInAllMax = Number.POSITIVE_INFINITY, busy } = options;
  let running = 0;
  let waitingInAll = 0;
  // The queue whose turn is next is the first; an empty one is not kept.
  const queues = new Map<string, (() => void)[]>();
  function takeNext(): (() => void) | undefined {
    const [turn] = queues;
    if (turn === undefined) return undefined;
    const [name, waiting] = turn;
    const next = waiting.shift();
    waitingInAll -= 1;
    queues.delete(name);
    if (waiting.length > 0) queues.set(name, waiting);
    return next;
  }
  return async (work, queue = '') => {
    if (running >= atOnceMax) {
      const waiting = queues.get(queue) ?? [];
      if (waiting.length >= waitingMax || waitingInAll >= waitingInAllMax) throw new GateFull(busy);
      waitingInAll += 1;
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
