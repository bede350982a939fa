import { CofferError } from '../errors.ts';
import type { FailureLog } from '../http/failure-log.ts';
import { ShareCollection } from '../keyring/share-collection.ts';
import { parseShare } from '../keyring/shares.ts';
import type { SplitKeyring, WrappingKeys } from '../keyring/split-keyring.ts';

/** How far a server is with the shares of its keyring. */
export interface SealStatus {
  sealed: boolean;
  /** Of all shares that are needed; only while it is sealed. */
  threshold?: number;
  given?: number;
}

/** What takes shares. */
export interface Seal {
  status(): SealStatus;
  /**
   * Takes one share as it is written. With the last one it resolves when the server serves.
   *
   * @throws CofferError that says what is wrong, and shows nothing of the share.
   */
  give(written: string, source: string): Promise<SealStatus>;
}

const PATIENCE_MS = 15 * 60_000;

interface Settled {
  promise: Promise<void>;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** Collects the shares of a server that started sealed, in memory alone. */
export class Unsealing implements Seal {
  readonly #collection: ShareCollection;
  readonly #log: FailureLog;
  readonly #patienceMs: number;
  readonly #isOpen = settleLater();
  readonly #isServed = settleLater();
  #patience: NodeJS.Timeout | undefined;

  constructor(keyrings: readonly SplitKeyring[], log: FailureLog, patienceMs = PATIENCE_MS) {
    this.#collection = new ShareCollection(keyrings);
    this.#log = log;
    this.#patienceMs = patienceMs;
  }

  status(): SealStatus {
    const { threshold, given } = this.#collection;
    return { sealed: true, threshold, given };
  }

  async give(written: string, source: string): Promise<SealStatus> {
    if (this.#collection.isComplete) return await this.#untilServed();
    const before = this.#collection.given;
    try {
      this.#collection.add(parseShare(written));
    } catch (error) {
      const { threshold, given } = this.#collection;
      this.#log.warn({ source, given, threshold, dropped: given < before }, 'a share was refused');
      throw error;
    }
    const { threshold, given } = this.#collection;
    this.#log.info({ source, given, threshold }, 'a share was given');
    this.#waitAgain();
    if (!this.#collection.isComplete) return this.status();
    this.#isOpen.resolve();
    return await this.#untilServed();
  }

  /** Resolves, once enough shares are given, to the keys. Owned by the caller, who wipes them. */
  async keys(): Promise<WrappingKeys> {
    await this.#isOpen.promise;
    return this.#collection.takeKeys();
  }

  /** The start is through: whoever gave the last share is told so. */
  announceServed(): void {
    this.#isServed.resolve();
  }

  /** Forgets the shares. Whoever waits for the start is told that it failed. */
  close(): void {
    clearTimeout(this.#patience);
    this.#collection.close();
    const failed = new CofferError(
      'unavailable',
      'The shares open the keyring, but the server does not start: its log says why.',
    );
    this.#isServed.reject(failed);
  }

  async #untilServed(): Promise<SealStatus> {
    await this.#isServed.promise;
    return { sealed: false };
  }

  #waitAgain(): void {
    clearTimeout(this.#patience);
    if (this.#collection.isComplete) return;
    this.#patience = setTimeout(() => {
      this.#collection.wipeShares();
      this.#log.warn({ ...this.status() }, 'no share for too long: those given before were dropped');
    }, this.#patienceMs).unref();
  }
}

function settleLater(): Settled {
  let resolve = (): void => {};
  let reject = (_error: Error): void => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // Nobody may be waiting when the server stops.
  promise.catch(() => {});
  return { promise, resolve, reject };
}
