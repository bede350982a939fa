import { Gauge, type Registry } from 'prom-client';
import type { Db } from '../db/open.ts';
import { CofferError } from '../errors.ts';
import { readKekFigures, readRotationFigures, readWrapFigures } from './metrics-queries.ts';

/** However many there are: a database that was written to cannot make series without end. */
const MASTER_KEYS_MAX = 20;
const FRESH_MS = 10_000;

interface Figures {
  rotations: Awaited<ReturnType<typeof readRotationFigures>>;
  keks: Awaited<ReturnType<typeof readKekFigures>>;
  wraps: Awaited<ReturnType<typeof readWrapFigures>>;
}

/**
 * Keys and their rotations as the database tells of them, whichever server does the work: read when they are
 * asked for, at most every ten seconds; without the database there are none.
 */
export function registerKeyMetrics(
  registry: Registry,
  db: Db,
  now: () => number = () => performance.now(),
): void {
  const read = createReader(db, now);
  const gauge = <L extends string>(
    [name, help]: readonly [string, string],
    labelNames: readonly L[],
    set: (gauge: Gauge<L>, figures: Figures) => void,
  ): void => {
    new Gauge<L>({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      async collect() {
        const figures = await read();
        this.reset();
        if (figures !== undefined) set(this, figures);
        // Without labels a reset leaves a 0, which would be a figure.
        else if (labelNames.length === 0) this.remove();
      },
    });
  };
  gauge(
    ['coffer_rotations', 'Projects whose KEK is being rotated, by state.'],
    ['state'],
    (to, { rotations }) => {
      for (const state of ['moving', 'waiting', 'blocked'] as const) {
        to.set({ state }, Number(rotations?.[state] ?? 0n));
      }
    },
  );
  gauge(
    ['coffer_rotation_rows', 'Rows of the rotations under way: moved, and those that do not verify.'],
    ['state'],
    (to, { rotations }) => {
      for (const state of ['moved', 'damaged'] as const) to.set({ state }, Number(rotations?.[state] ?? 0n));
    },
  );
  gauge(['coffer_keks', 'KEKs by store and master key.'], ['store', 'master_key'], (to, { keks }) => {
    for (const { store, master_key_id, keks: count } of keks) {
      to.set({ store, master_key: master_key_id }, Number(count));
    }
  });
  gauge(['coffer_kek_oldest_seconds', 'Age of the oldest KEK.'], [], (to, { keks }) => {
    to.set(Math.max(0, ...keks.map(({ oldest }) => oldest)));
  });
  gauge(
    ['coffer_key_wraps_max', 'What the key of a token that encrypted most has encrypted, of 2^32.'],
    ['kind'],
    (to, { wraps }) => {
      for (const { kind, wraps: most } of wraps) to.set({ kind }, Number(most));
    },
  );
}

/** Many series are asked for at once, and read together. */
function createReader(db: Db, now: () => number): () => Promise<Figures | undefined> {
  let last: Promise<Figures | undefined> | undefined;
  let readAt = 0;
  const read = async (): Promise<Figures | undefined> => {
    try {
      const rotations = await readRotationFigures(db);
      const keks = await readKekFigures(db, MASTER_KEYS_MAX);
      return { rotations, keks, wraps: await readWrapFigures(db) };
    } catch (error) {
      if (!(error instanceof CofferError && error.code === 'unavailable')) throw error;
      return undefined;
    }
  };
  return async () => {
    if (last === undefined || now() - readAt >= FRESH_MS) {
      readAt = now();
      last = read();
    }
    return await last;
  };
}
