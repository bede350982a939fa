import type { Answer, Statement } from './open.ts';

/**
 * A statement that reads rows by key, for many keys at once: `text` takes the keys as `$1` (an array) and
 * selects each key's row with the key itself as the column `asked`.
 */
export interface Lookup<R> {
  name: string;
  text: string;
  /** Only carries the row's type. */
  row?: R;
}

export interface Lookups {
  find<R>(lookup: Lookup<R>, key: string): Promise<R | undefined>;
  /** All rows of the key, for a statement that may give several. */
  findAll<R>(lookup: Lookup<R>, key: string): Promise<R[]>;
}

interface Waiting {
  resolve(rows: unknown[]): void;
  reject(error: unknown): void;
}

const KEYS_MAX = 128;
const IN_FLIGHT_MAX = 3;

/**
 * Joins all lookups of one tick, and those that wait for one of three statements in flight, into one
 * statement: a round trip and a plan are paid once for all of them. A row reaches whoever asked for its key,
 * never by position.
 */
export function createLookups(query: <R>(statement: Statement) => Promise<Answer<R>>): Lookups {
  const queues = new Map<
    string,
    { lookup: Lookup<unknown>; waiting: Map<string, Waiting[]>; inFlight: number }
  >();

  const findAll = async <R>(lookup: Lookup<R>, key: string): Promise<R[]> =>
    await new Promise<R[]>((resolve, reject) => {
      let queue = queues.get(lookup.name);
      if (queue === undefined) {
        queue = { lookup, waiting: new Map(), inFlight: 0 };
        queues.set(lookup.name, queue);
      }
      if (queue.waiting.size === 0) setImmediate(drain, queue);
      const others = queue.waiting.get(key);
      const entry: Waiting = { resolve: (rows) => resolve(rows as R[]), reject };
      if (others === undefined) queue.waiting.set(key, [entry]);
      else others.push(entry);
    });

  return { findAll, find: async (lookup, key) => (await findAll(lookup, key))[0] };

  function drain(queue: {
    lookup: Lookup<unknown>;
    waiting: Map<string, Waiting[]>;
    inFlight: number;
  }): void {
    while (queue.waiting.size > 0 && queue.inFlight < IN_FLIGHT_MAX) {
      const batch = new Map([...queue.waiting].slice(0, KEYS_MAX));
      for (const key of batch.keys()) queue.waiting.delete(key);
      queue.inFlight += 1;
      const settled = (): void => {
        queue.inFlight -= 1;
        drain(queue);
      };
      void answer(queue.lookup, batch).then(settled, settled);
    }
  }

  async function answer(lookup: Lookup<unknown>, batch: Map<string, Waiting[]>): Promise<void> {
    try {
      const { rows } = await query<{ asked: string }>({
        name: lookup.name,
        text: lookup.text,
        values: [[...batch.keys()]],
      });
      const found = new Map<string, unknown[]>();
      for (const row of rows) {
        const others = found.get(row.asked);
        if (others === undefined) found.set(row.asked, [row]);
        else others.push(row);
      }
      for (const [key, entries] of batch) for (const entry of entries) entry.resolve(found.get(key) ?? []);
    } catch (error) {
      for (const entries of batch.values()) for (const entry of entries) entry.reject(error);
    }
  }
}
