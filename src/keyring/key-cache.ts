/** Something that holds keys: `close` wipes them. */
interface Closable {
  close(): void;
}

interface Entry<T extends Closable> {
  value: Promise<T>;
  borrowers: number;
  evicted: boolean;
  expires: number;
  /** Who uses it from then on has it opened anew. */
  renewFrom: number;
}

/** Parts of a key's time: when it is opened anew while it is used, and what lies between two attempts. */
const RENEW_PART = 2 / 3;
const AGAIN_PART = 1 / 60;
/** So that those who wait for a key find room beside them. */
const RENEWALS_MAX = 8;

/**
 * Open keys, bounded in number and time. Keys are borrowed: one that is evicted while borrowed stays whole
 * until its last borrower returns it, and is closed then. A miss opens the key again, once for all who ask;
 * it is never an error. One that is used late in its time is opened anew before it ends, while it serves: so
 * what they are opened with may be away for a while. It ends in its time where that fails.
 */
export class KeyCache<T extends Closable> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #entriesMax: number;
  readonly #ttlMs: number;
  readonly #now: () => number;
  #renewals = 0;

  constructor(options: { entriesMax: number; ttlMs: number; now: () => number }) {
    this.#entriesMax = options.entriesMax;
    this.#ttlMs = options.ttlMs;
    this.#now = options.now;
  }

  /** Lends the value of `id`, opened by `open` on a miss, for as long as `use` runs. */
  async borrow<R>(id: string, open: () => Promise<T>, use: (value: T) => R | Promise<R>): Promise<R> {
    const known = this.#find(id);
    if (known !== undefined && known.renewFrom <= this.#now()) this.#renew(id, known, open);
    const entry = known ?? this.#add(id, open());
    entry.borrowers += 1;
    try {
      return await use(await entry.value);
    } finally {
      entry.borrowers -= 1;
      if (entry.evicted && entry.borrowers === 0) closeEntry(entry);
    }
  }

  /** Gives up every key of ids that begin so, or all. */
  evict(prefix = ''): void {
    for (const [id, entry] of this.#entries) if (id.startsWith(prefix)) this.#drop(id, entry);
  }

  /** Gives up what is past its time; called from a timer, so that unused keys do not stay in memory. */
  sweep(): void {
    for (const [id, entry] of this.#entries) if (entry.expires <= this.#now()) this.#drop(id, entry);
  }

  get size(): number {
    return this.#entries.size;
  }

  #find(id: string): Entry<T> | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    if (entry.expires <= this.#now()) {
      this.#drop(id, entry);
      return undefined;
    }
    // A Map keeps the order of insertion: the first is the one used longest ago.
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    return entry;
  }

  #add(id: string, value: Promise<T>): Entry<T> {
    const entry = this.#entryOf(value, this.#now());
    this.#entries.set(id, entry);
    value.catch(() => {
      if (this.#entries.get(id) === entry) this.#entries.delete(id);
    });
    const oldest = this.#entries.entries().next().value;
    if (this.#entries.size > this.#entriesMax && oldest !== undefined) this.#drop(...oldest);
    return entry;
  }

  /** Its time begins before it is opened: what opened it may have ended since. */
  #entryOf(value: Promise<T>, begun: number): Entry<T> {
    const [expires, renewFrom] = [begun + this.#ttlMs, begun + this.#ttlMs * RENEW_PART];
    return { value, borrowers: 0, evicted: false, expires, renewFrom };
  }

  /** In the background, once at a time. What was given up meanwhile does not come back. */
  #renew(id: string, entry: Entry<T>, open: () => Promise<T>): void {
    if (this.#renewals >= RENEWALS_MAX) return;
    this.#renewals += 1;
    const begun = this.#now();
    entry.renewFrom = Number.POSITIVE_INFINITY;
    const opening = open();
    const renewing = opening.then(
      () => {
        const next = this.#entryOf(opening, begun);
        const isKept = this.#entries.get(id) === entry;
        // In the place of the one before: that it was renewed says nothing of its use.
        if (isKept) this.#entries.set(id, next);
        giveUp(isKept ? entry : next);
      },
      () => {
        entry.renewFrom = this.#now() + this.#ttlMs * AGAIN_PART;
      },
    );
    void renewing.finally(() => {
      this.#renewals -= 1;
    });
  }

  #drop(id: string, entry: Entry<T>): void {
    this.#entries.delete(id);
    giveUp(entry);
  }
}

function giveUp<T extends Closable>(entry: Entry<T>): void {
  entry.evicted = true;
  if (entry.borrowers === 0) closeEntry(entry);
}

function closeEntry<T extends Closable>(entry: Entry<T>): void {
  // What never opened has nothing to wipe; its borrowers saw the failure.
  void entry.value.then(
    (value) => value.close(),
    () => {},
  );
}
