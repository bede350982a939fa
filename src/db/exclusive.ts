import { createHash } from 'node:crypto';
import { CofferError } from '../errors.ts';
import type { Db, Queryable } from './open.ts';

const AT_ONCE_MAX = 4;
const PATIENCE_MS = 5_000;
const WAITING_MAX = 256;
const RETRY_AFTER_SECONDS = 2;

/**
 * Runs a transaction alone: no other of the same key runs, on any server, until it is committed.
 *
 * @throws CofferError `unavailable`, with nothing run, when its turn does not come in time, or too many wait.
 */
export type Exclusive = <T>(key: string, use: (tx: Queryable) => Promise<T>) => Promise<T>;

export interface ExclusiveLimits {
  connectionsMax: number;
  /** How long one waits for its turn on this server. */
  patienceMs?: number;
  /** How many wait for the turn of one key on this server. */
  waitingMax?: number;
}

/**
 * Who waits for a turn on this server holds no connection, and few transactions at once wait for other
 * servers: however many ask, connections are left for everybody else. Nobody waits longer than a client
 * does: while the database is away, the turns of those who left would be tried one after the other.
 */
export function createExclusive(
  transaction: Db['transaction'],
  { connectionsMax, patienceMs = PATIENCE_MS, waitingMax = WAITING_MAX }: ExclusiveLimits,
): Exclusive {
  const turns = new Map<string, Turns>();
  const slots = new Turns(Math.max(1, Math.min(AT_ONCE_MAX, connectionsMax - 1)), Number.POSITIVE_INFINITY);

  return async (key, use) => {
    const deadline = performance.now() + patienceMs;
    const own = turns.get(key) ?? new Turns(1, waitingMax);
    turns.set(key, own);
    await own.take(deadline);
    try {
      await slots.take(deadline);
      try {
        return await transaction(async (tx) => {
          const values = [lockNumber(key)];
          await tx.query({ name: 'lock', text: 'SELECT pg_advisory_xact_lock($1)', values });
          return await use(tx);
        });
      } finally {
        slots.giveBack();
      }
    } finally {
      if (own.giveBack() === 'unused') turns.delete(key);
    }
  };
}

/** So many at once; the others wait in the order they came, and each until its deadline. */
class Turns {
  readonly #waitingMax: number;
  readonly #waiting = new Set<() => void>();
  #taken = 0;
  readonly #atOnceMax: number;

  constructor(atOnceMax: number, waitingMax: number) {
    this.#atOnceMax = atOnceMax;
    this.#waitingMax = waitingMax;
  }

  async take(deadline: number): Promise<void> {
    if (this.#taken < this.#atOnceMax) {
      this.#taken += 1;
      return;
    }
    if (this.#waiting.size >= this.#waitingMax) throw busy();
    await new Promise<void>((resolve, reject) => {
      const begin = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(begin);
        reject(busy());
      }, deadline - performance.now());
      this.#waiting.add(begin);
    });
  }

  /** The turn goes to who waits longest. */
  giveBack(): 'used' | 'unused' {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#taken -= 1;
      return this.#taken === 0 ? 'unused' : 'used';
    }
    this.#waiting.delete(next);
    next();
    return 'used';
  }
}

function busy(): CofferError {
  const retryAfterSeconds = RETRY_AFTER_SECONDS;
  return new CofferError('unavailable', 'Too many wait for their turn; try again.', { retryAfterSeconds });
}

/** Two keys of one number would only wait for each other. */
function lockNumber(key: string): bigint {
  return createHash('sha256').update(`coffer:lock:${key}`).digest().readBigInt64BE();
}
