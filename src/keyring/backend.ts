/**
 * A place that holds master keys and does with KEKs what only they can do: a keyring file in memory, or a
 * hardware module. Whoever writes a third one implements this page and runs
 * `test/harness/exercise-backend.ts` on it.
 *
 * Every method may take long and may fail: a backend that is away throws CofferError `unavailable`; one that
 * is given something it did not make, for another context, or altered, throws `integrity_violation`.
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
