import { randomBytes } from 'node:crypto';
import { KEY_BYTES, wipe } from '../crypto/envelope.ts';
import { CofferError } from '../errors.ts';
import type { KeysReloaded } from './backend.ts';
import { changeKeyring, type KeyringPlace, readKeyring } from './keyring-file.ts';
import { ID_RULE, isMasterKeyId, type MasterKeys, parseKeyring, withKey, withoutKey } from './master-keys.ts';

/** What an operator should hear of. */
export interface KeyringLog {
  info(message: string): void;
  warn(message: string): void;
}

export interface HeldOptions {
  /** Where the keys are kept; undefined for keys that are in memory alone. */
  place?: KeyringPlace | undefined;
  log?: KeyringLog;
  /** Milliseconds of a clock that nobody sets back. */
  now?: () => number;
}

const READ_AGAIN_EVERY_MS = 1_000;

/**
 * The master keys of a store, in memory, and where they are kept. A key that is not known is looked for there
 * once more: another server may have begun to use it.
 */
export class HeldMasterKeys {
  readonly #keys: Map<string, Uint8Array>;
  readonly #installationId: Uint8Array;
  readonly #options: HeldOptions;
  readonly #now: () => number;
  #activeId: string;
  #isClosed = false;
  #reading: Promise<void> | undefined;
  #readAt = Number.NEGATIVE_INFINITY;

  /** Owns the keys from now on. */
  constructor({ installationId, activeId, keys }: MasterKeys, options: HeldOptions = {}) {
    this.#keys = keys;
    this.#installationId = installationId;
    this.#activeId = activeId;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  get activeId(): string {
    return this.#activeId;
  }

  get ids(): readonly string[] {
    return [...this.#keys.keys()];
  }

  /**
   * Lends keys for as long as `use` runs, without a pause: none is wiped in between.
   *
   * @throws CofferError `integrity_violation` for an id that is not one of them.
   */
  async use<T>(ids: readonly string[], use: (...keys: Uint8Array[]) => T): Promise<T> {
    if (!ids.every((id) => this.#keys.has(id))) await this.#readAgain(ids);
    return use(
      ...ids.map((id) => {
        const key = this.#keys.get(id);
        if (key === undefined) throw new CofferError('integrity_violation', 'Integrity Violation');
        return key;
      }),
    );
  }

  /** Whether a key is one of them, by now. */
  async has(id: string): Promise<boolean> {
    if (!this.#keys.has(id)) await this.#readAgain([id]);
    return this.#keys.has(id);
  }

  /**
   * Takes over what is kept now: new keys are added, those that are gone wiped.
   *
   * @throws CofferError `configuration` when that is no keyring of this installation, or what
   *   `requireUnneeded` throws about the ids that would go; then nothing changes.
   */
  async reload(requireUnneeded: (ids: readonly string[]) => Promise<void>): Promise<KeysReloaded> {
    const place = this.#requirePlace();
    const kept = await this.#read(place);
    const gone = this.ids.filter((id) => !kept.keys.has(id));
    try {
      if (gone.length > 0) await requireUnneeded(gone);
    } catch (error) {
      wipe(...kept.keys.values());
      throw error;
    }
    const added = this.#adopt(kept);
    for (const id of gone) {
      wipe(this.#keys.get(id) as Uint8Array);
      this.#keys.delete(id);
    }
    this.#activeId = kept.activeId;
    return { added, removed: gone, ids: this.ids };
  }

  /** Makes a key, where they are kept first. @throws CofferError `conflict` when there is one of this id. */
  async add(id: string): Promise<void> {
    const place = this.#requirePlace();
    if (!isMasterKeyId(id)) throw new CofferError('bad_request', `It cannot have this id: ${ID_RULE}.`);
    const key = randomBytes(KEY_BYTES);
    await changeKeyring(place, (content) => {
      if (this.#isNamedIn(content, id)) {
        throw new CofferError('conflict', `The keyring ${place.path} has a key ${id} already.`);
      }
      return withKey(content, id, key);
    });
    this.#keys.set(id, key);
  }

  /** Destroys a key, where they are kept and here. One that is gone is no error. */
  async remove(id: string, activeId: string): Promise<void> {
    await changeKeyring(this.#requirePlace(), (content) => withoutKey(content, id, activeId));
    const key = this.#keys.get(id);
    this.#keys.delete(id);
    if (key !== undefined) wipe(key);
    this.#activeId = activeId;
  }

  close(): void {
    this.#isClosed = true;
    wipe(...this.#keys.values());
  }

  async #readAgain(ids: readonly string[]): Promise<void> {
    const { place } = this.#options;
    if (place === undefined || this.#isClosed) return;
    if (this.#reading === undefined && this.#now() - this.#readAt >= READ_AGAIN_EVERY_MS) {
      this.#readAt = this.#now();
      this.#reading = this.#pickUp(place, ids).finally(() => {
        this.#reading = undefined;
      });
    }
    await this.#reading;
  }

  async #pickUp(place: KeyringPlace, wanted: readonly string[]): Promise<void> {
    const { log } = this.#options;
    try {
      const added = this.#adopt(await this.#read(place));
      if (added.length > 0) log?.info(`Picked master keys up from ${place.path}: ${added.join(', ')}.`);
      // Said at most as often as it is read, and not to each who asks.
      const unknown = wanted.filter((id) => !this.#keys.has(id));
      if (unknown.length > 0) log?.warn(`The keyring ${place.path} has no master key ${unknown.join(', ')}.`);
    } catch (error) {
      if (!(error instanceof CofferError)) throw error;
      log?.warn(error.message);
    }
  }

  async #read(place: KeyringPlace): Promise<MasterKeys> {
    const kept = await readKeyring(place);
    const why = this.#refusalOf(kept);
    if (why === undefined) return kept;
    wipe(...kept.keys.values());
    throw new CofferError('configuration', `The keyring ${place.path} ${why}; the keys stay as they were.`);
  }

  #refusalOf({ installationId, keys }: MasterKeys): string | undefined {
    if (this.#isClosed) return 'is not used any more';
    if (Buffer.compare(installationId, this.#installationId) !== 0) return 'is of another installation';
    for (const [id, key] of keys) {
      const known = this.#keys.get(id);
      if (known !== undefined && Buffer.compare(known, key) !== 0) return `has another key ${id} than before`;
    }
    return undefined;
  }

  /** Gives the ids that were not known; wipes the copies of the others. */
  #adopt({ keys }: MasterKeys): string[] {
    const added: string[] = [];
    for (const [id, key] of keys) {
      if (this.#keys.has(id)) {
        wipe(key);
        continue;
      }
      this.#keys.set(id, key);
      added.push(id);
    }
    return added;
  }

  #isNamedIn(content: Uint8Array, id: string): boolean {
    const { keys } = parseKeyring(this.#requirePlace().path, content);
    wipe(...keys.values());
    return keys.has(id);
  }

  #requirePlace(): KeyringPlace {
    const { place } = this.#options;
    if (place === undefined) throw new CofferError('configuration', 'These master keys are in no file.');
    return place;
  }
}
