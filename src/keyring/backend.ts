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
 * What differs shows by itself, as whether a KEK that is open outlives the absence of its backend. Three
 * things are said here, because Coffer goes by them: `counted`, `objects` and `wrapsAtOnce`.
 */
export interface CryptoBackend {
  /** The name of the secret store that it is; stands in each KEK's row. */
  readonly store: string;
  /**
   * Whether master keys, and open KEKs, encrypt with random IVs of 96 bits: Coffer counts what they wrap, and
   * gives them up in time. Left out where neither does.
   */
  readonly counted?: { masterKeys: boolean; keks: boolean };
  /**
   * How many keys at once a rotation has open KEKs wrap or unwrap: more would only wait, and whoever reads a
   * secret behind them. Left out where none waits for another.
   */
  readonly wrapsAtOnce?: number;
  /** KEKs that are kept beside their rows; left out where a KEK is only what its row says. */
  readonly objects?: KekObjects;
  /** The master key that new KEKs are wrapped under, until a rotation has the database name another. */
  activeMasterKeyId(): string;
  /** Makes a KEK of 256 random bits and wraps it under a master key, bound to `context`. */
  createKek(masterKeyId: string, context: Uint8Array): Promise<{ wrapped: Uint8Array; kek: OpenKek }>;
  /** Opens what `createKek` wrapped for the same master key and context. */
  openKek(masterKeyId: string, wrapped: Uint8Array, context: Uint8Array): Promise<OpenKek>;
  /**
   * Wraps a KEK that `createKek` made under another master key, and leaves it as it is. Nothing of the KEK
   * stays open.
   */
  rewrapKek(wrapped: Uint8Array, from: MasterKeyUse, to: MasterKeyUse): Promise<Uint8Array>;
  /**
   * Destroys what the backend keeps of a KEK beside its row, and says whether it keeps anything: false for
   * one that is only what its row says, which need not open for that. One that is destroyed already is no
   * error.
   *
   * @throws CofferError `integrity_violation` for a row that names an object and does not open.
   */
  destroyKek(masterKeyId: string, wrapped: Uint8Array, context: Uint8Array): Promise<boolean>;
  /** The ids of the master keys that it has now. */
  listMasterKeys(): Promise<readonly string[]>;
  /**
   * Makes a master key; it is used once a rotation says so.
   *
   * @throws CofferError `conflict` for an id that is taken, `bad_request` for one that is none.
   */
  addMasterKey(id: string): Promise<void>;
  /**
   * Destroys a master key that no KEK needs. One that is gone already is no error. `activeId` is the one that
   * new KEKs are wrapped under.
   */
  removeMasterKey(id: string, activeId: string): Promise<void>;
  /**
   * Reads its master keys again where they are in memory; undefined where there is nothing to read. A key
   * that is there no more goes when `requireUnneeded` lets it.
   *
   * @throws what that throws, or CofferError `configuration`; then nothing has changed.
   */
  reload(requireUnneeded: (ids: readonly string[]) => Promise<void>): Promise<KeysReloaded | undefined>;
  /**
   * Resolves while KEKs can be opened under a master key, by default the one that it names as active.
   *
   * @throws CofferError `unavailable` otherwise.
   */
  checkHealth(masterKeyId?: string): Promise<void>;
  /** Wipes what it holds. Open KEKs are closed by their owners. */
  close(): void;
}

/** A master key, and what a KEK is bound to under it. */
export interface MasterKeyUse {
  masterKeyId: string;
  context: Uint8Array;
}

/** Ids of master keys, never the keys. */
export interface KeysReloaded {
  added: readonly string[];
  removed: readonly string[];
  ids: readonly string[];
}

/** The objects of a backend that are KEKs. One whose row was never written, or is lost, nobody else finds. */
export interface KekObjects {
  list(): Promise<string[]>;
  /**
   * The object that a row names, whether it is there or not; undefined for a row that names none.
   *
   * @throws CofferError `integrity_violation` as `openKek`.
   */
  idOf(masterKeyId: string, wrapped: Uint8Array, context: Uint8Array): Promise<string | undefined>;
  /** One that is destroyed already is no error. */
  destroy(id: string): Promise<void>;
}

/** A KEK that is open. Its owner closes it once; after that every call fails. */
export interface OpenKek {
  /** Wraps a 256-bit key, bound to `context`. Borrows the key. */
  wrap(key: Uint8Array, context: Uint8Array): Promise<Uint8Array>;
  /** Opens what `wrap` made for the same context. The caller owns the key and wipes it. */
  unwrap(wrapped: Uint8Array, context: Uint8Array): Promise<Uint8Array>;
  close(): void;
}
