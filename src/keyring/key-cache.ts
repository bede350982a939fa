/** Something that holds keys: `close` wipes them. */
interface Closable {
  close(): void;
}

interface Entry<T extends Closable> {
  value: Promise<T>;
  borrowers: number;
  evicted: boolean;
  expires: number;
}

/**
 * Open keys, bounded in number and time. Keys are borrowed: one that is evicted while borrowed stays whole
 * until its last borrower returns it, and is closed then. A miss opens the key again, once for all who ask;
 * it is never an error.
 */
export class KeyCache<T extends Closable> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #entriesMax: number;
  readonly #ttlMs: number;
  readonly #now: () => number;

  constructor(options: { entriesMax: number; ttlMs: number; now: () => number }) {
    this.#entriesMax = options.entriesMax;
    this.#ttlMs = options.ttlMs;
    this.#now = options.now;
  }

  /** Lends the value of `id`, opened by `open` on a miss, for as long as `use` runs. */
  async borrow<R>(id: string, open: () => Promise<T>, use: (value: T) => R | Promise<R>): Promise<R> {
    const entry = this.#find(id) ?? this.#add(id, open());
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
    const entry: Entry<T> = { value, borrowers: 0, evicted: false, expires: this.#now() + this.#ttlMs };
    this.#entries.set(id, entry);
    value.catch(() => {
      if (this.#entries.get(id) === entry) this.#entries.delete(id);
    });
    const oldest = this.#entries.entries().next().value;
    if (this.#entries.size > this.#entriesMax && oldest !== undefined) this.#drop(...oldest);
    return entry;
  }

  #drop(id: string, entry: Entry<T>): void {
    this.#entries.delete(id);
    entry.evicted = true;
    if (entry.borrowers === 0) closeEntry(entry);
  }
}

function closeEntry<T extends Closable>(entry: Entry<T>): void {
  // What never opened has nothing to wipe; its borrowers saw the failure.
  void entry.value.then(
    (value) => value.close(),
    () => {},
  );
}
