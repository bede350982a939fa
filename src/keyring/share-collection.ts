import { wipe } from '../crypto/envelope.ts';
import { combinePoints } from '../crypto/secret-sharing.ts';
import { CofferError } from '../errors.ts';
import type { Share } from './shares.ts';
import { nameOfSet, openSplitKeyring, type SplitKeyring, type WrappingKeys } from './split-keyring.ts';

/**
 * The shares of split keyrings, as they come in. Each keyring opens with the last share that it needs; its
 * shares are wiped then.
 */
export class ShareCollection {
  readonly #keyrings: ReadonlyMap<string, SplitKeyring>;
  readonly #shares = new Map<string, Share[]>();
  readonly #keys = new Map<string, Uint8Array>();
  readonly #open = new Set<string>();

  constructor(keyrings: readonly SplitKeyring[]) {
    this.#keyrings = new Map(keyrings.map((keyring) => [nameOfSet(keyring.setId), keyring]));
  }

  /** How many shares are needed in all. */
  get threshold(): number {
    return [...this.#keyrings.values()].reduce((sum, { threshold }) => sum + threshold, 0);
  }

  /** How many of them are here, those of keyrings that are open among them. */
  get given(): number {
    return [...this.#keyrings].reduce((sum, [name, { threshold }]) => {
      return sum + (this.#open.has(name) ? threshold : (this.#shares.get(name)?.length ?? 0));
    }, 0);
  }

  get isComplete(): boolean {
    return this.#open.size === this.#keyrings.size;
  }

  /** The keys that the shares gave. Owned by the caller from now on, who wipes them. */
  takeKeys(): WrappingKeys {
    const keys = new Map(this.#keys);
    this.#keys.clear();
    return keys;
  }

  /**
   * Takes one share, which it owns from now on. One of a keyring that is open already changes nothing.
   *
   * @throws CofferError `bad_request` for one of another keyring, one that was given already, and the last of
   *   too many wrong ones, at which all shares of that keyring are wiped.
   */
  add(share: Share): void {
    const name = nameOfSet(share.setId);
    const keyring = this.#keyrings.get(name);
    if (this.#open.has(name)) {
      wipe(share.value);
      return;
    }
    const shares = this.#shares.get(name) ?? [];
    const why =
      keyring === undefined
        ? 'The share is of another keyring, or of an earlier split of this one.'
        : shares.some(({ number }) => number === share.number)
          ? `Share ${share.number} was given already.`
          : share.number > keyring.count
            ? 'The share has a number that none of this keyring has.'
            : undefined;
    if (keyring === undefined || why !== undefined) {
      wipe(share.value);
      throw new CofferError('bad_request', why ?? '');
    }
    shares.push(share);
    this.#shares.set(name, shares);
    if (shares.length === keyring.threshold) this.#combine(name, keyring, shares);
  }

  /** Forgets the shares of keyrings that are not open yet. */
  wipeShares(): void {
    for (const shares of this.#shares.values()) wipe(...shares.map(({ value }) => value));
    this.#shares.clear();
  }

  /** Forgets everything. */
  close(): void {
    this.wipeShares();
    wipe(...this.#keys.values());
    this.#keys.clear();
    this.#open.clear();
  }

  #combine(name: string, keyring: SplitKeyring, shares: readonly Share[]): void {
    const key = combinePoints(shares);
    try {
      wipe(openSplitKeyring(keyring, key));
      this.#keys.set(name, key);
      this.#open.add(name);
    } catch (error) {
      wipe(key);
      if (!(error instanceof CofferError)) throw error;
      throw new CofferError(
        'bad_request',
        'The shares do not open the keyring: one of them is wrong, or the file was altered. All were dropped: begin again.',
      );
    } finally {
      wipe(...shares.map(({ value }) => value));
      this.#shares.delete(name);
    }
  }
}
