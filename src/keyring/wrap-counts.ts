import type { Db } from '../db/open.ts';
import { CofferError } from '../errors.ts';
import type { OpenKek } from './backend.ts';
import { reserveWraps } from './queries.ts';

/** A key that may encrypt a bounded number of times. */
export type CountedKey =
  | { kind: 'kek'; store: string; id: string; projectId: string }
  | { kind: 'master-key'; store: string; id: string; projectId: null };

/** How often one key may encrypt under random 96-bit IVs (SP 800-38D, 8.3: 2^32 times at most). */
export interface WrapLimits {
  /** From here on another key is wanted: a KEK is rotated by the worker. */
  rotateAt: bigint;
  /** It never encrypts more often. */
  refuseAt: bigint;
  /** What a process reserves first, and at most, at a time; it doubles in between. */
  firstBlock: bigint;
  blockMax: bigint;
}

export const WRAP_LIMITS: WrapLimits = {
  rotateAt: 2n ** 30n,
  refuseAt: 2n ** 32n,
  firstBlock: 2n ** 8n,
  blockMax: 2n ** 16n,
};

interface Reserve {
  left: bigint;
  block: bigint;
  /** The highest count that was seen: one that went back is not believed. */
  seen: bigint;
  reserving: Promise<void> | undefined;
}

const KEYS_MAX = 20_000;

/**
 * Counts what keys encrypt, over all servers: each process reserves blocks in the database before it uses
 * them, and asks nobody in between. What a process reserved and did not use counts as used.
 */
export class WrapCounts {
  readonly limits: WrapLimits;
  readonly #db: Db;
  readonly #reserves = new Map<string, Reserve>();

  constructor(db: Db, limits: WrapLimits = WRAP_LIMITS) {
    this.#db = db;
    this.limits = limits;
  }

  /** Takes one place. @throws CofferError `unavailable` when the key has encrypted as often as it may. */
  async take(key: CountedKey): Promise<void> {
    const reserve = this.#reserveOf(key);
    while (reserve.left === 0n) {
      reserve.reserving ??= this.#reserve(key, reserve).finally(() => {
        reserve.reserving = undefined;
      });
      await reserve.reserving;
    }
    reserve.left -= 1n;
  }

  /** The same KEK, with every key that it wraps counted. */
  countWraps(kek: OpenKek, key: CountedKey): OpenKek {
    return {
      wrap: async (dek, context) => {
        await this.take(key);
        return await kek.wrap(dek, context);
      },
      unwrap: async (wrapped, context) => await kek.unwrap(wrapped, context),
      close: () => kek.close(),
    };
  }

  async #reserve(key: CountedKey, reserve: Reserve): Promise<void> {
    const { block, seen } = reserve;
    const { refuseAt, blockMax } = this.limits;
    const wraps = await reserveWraps(this.#db, key, { block, seen, refuseAt });
    if (wraps === undefined) {
      throw new CofferError(
        'unavailable',
        'The key has encrypted as often as it may; it is replaced by a rotation.',
        { retryAfterSeconds: 5 },
      );
    }
    reserve.seen = wraps;
    reserve.left += block;
    reserve.block = block * 2n < blockMax ? block * 2n : blockMax;
  }

  #reserveOf({ kind, store, id }: CountedKey): Reserve {
    const name = `${kind}/${store}/${id}`;
    const known = this.#reserves.get(name);
    if (known !== undefined) return known;
    const made = { left: 0n, block: this.limits.firstBlock, seen: 0n, reserving: undefined };
    const oldest = this.#reserves.keys().next().value;
    if (this.#reserves.size >= KEYS_MAX && oldest !== undefined) this.#reserves.delete(oldest);
    this.#reserves.set(name, made);
    return made;
  }
}
