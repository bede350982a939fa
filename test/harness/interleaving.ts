import { rounds } from './rounds.ts';

/** A generator of numbers from 0 to 1: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Starts all acts after pauses of up to 3 ms, in an order of the seed's, and waits for them. */
export async function interleave<T>(random: () => number, acts: readonly (() => Promise<T>)[]): Promise<T[]> {
  const pauses = acts.map(() => random() * 3);
  return await Promise.all(
    acts.map(async (act, index) => {
      const end = performance.now() + (pauses[index] ?? 0);
      while (performance.now() < end) await new Promise((resolve) => setImmediate(resolve));
      return await act();
    }),
  );
}

const SEEDS = Array.from({ length: rounds(1_000) }, (_, index) => index + 1);
/** Rounds at a time, each with its own secret. */
const ABREAST = 8;

/** Runs a round for each of a thousand seeds, or the share of them that is asked for. */
export async function eachSeed(round: (seed: number, random: () => number) => Promise<void>): Promise<void> {
  for (let first = 0; first < SEEDS.length; first += ABREAST) {
    const seeds = SEEDS.slice(first, first + ABREAST);
    await Promise.all(
      seeds.map(async (seed) => {
        await round(seed, seeded(seed)).catch((error: unknown) => {
          throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
        });
      }),
    );
  }
}
