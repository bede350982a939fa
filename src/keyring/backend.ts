/**
 * A place that holds master keys and does with KEKs what only they can do: a keyring file in memory, or a
 * hardware module. Whoever writes a third one implements this page, adds it to `open-stores.ts`, and has
 * `test/harness/exercise-backend.ts` try it.
 *
 * - *Bound.* `context` says what a key is and whose (FORMAT.md §1): project, KEK, epoch, installation. It is
 *   authenticated with the key and need not be stored: under any other one the key does not open. A few
 *   hundred bytes, chosen by Coffer.
 * - *Opaque.* What is wrapped goes into a row that others can write to. Its first byte names the format, one
 *   of the closed list of FORMAT.md §2. Whatever was not made here, for this context and unaltered, throws
 *   `integrity_violation`, always of the same words.
 * - *Away.* Every method may take long and may fail, but answers within 2 s: CofferError `unavailable` says
 *   "not now", and never that a key is damaged. Coffer calls again by itself and keeps nothing of a call that
 *   failed; what a lost `createKek` leaves behind is the backend's. It comes back without a restart.
 * - *Side by side.* Calls come many at once, from one process; other servers use the same master keys.
 * - *Wiped.* Keys are bytes, borrowed from the caller or given to it as each method says.
 *
 * Nothing asks a backend what it can do, and there is no list of capabilities: each does all of this page.
 * What differs shows by itself, as whether a KEK that is open outlives the absence of its backend.
 */
export interface CryptoBackend {
  /** The name of the secret store that it is; stands in each KEK's row. */
  readonly store: string;
  /** The master key that new KEKs are wrapped under. */
  activeMasterKeyId(): string;
  /** Makes a KEK of 256 random bits and wraps it under a master key, bound to `context`. */
  createKek(masterKeyId: string, context: Uint8Array): Promise<{ wrapped: Uint8Array; kek: OpenKek }>;
  /** Opens what `createKek` wrapped for the same master key and context. */
  openKek(masterKeyId: string, wrapped: Uint8Array, context: Uint8Array): Promise<OpenKek>;
  /**
   * Destroys what is left of a KEK in the backend once its row is gone; where a KEK is only what its row
   * says, that is nothing. One that is destroyed already is no error.
   */
  destroyKek(masterKeyId: string, wrapped: Uint8Array, context: Uint8Array): Promise<void>;
  /** Resolves while KEKs can be opened. @throws CofferError `unavailable` otherwise. */
  checkHealth(): Promise<void>;
  /** Wipes what it holds. Open KEKs are closed by their owners. */
  close(): void;
}

/** A KEK that is open. Its owner closes it once; after that every call fails. */
export interface OpenKek {
  /** Wraps a 256-bit key, bound to `context`. Borrows the key. */
  wrap(key: Uint8Array, context: Uint8Array): Promise<Uint8Array>;
  /** Opens what `wrap` made for the same context. The caller owns the key and wipes it. */
  unwrap(wrapped: Uint8Array, context: Uint8Array): Promise<Uint8Array>;
  close(): void;
}
