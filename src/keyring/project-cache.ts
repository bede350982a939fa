import type { ProjectRow } from '../db/schema.ts';

const TTL_MS = 5_000;
const ENTRIES_MAX = 10_000;

interface Entry {
  row: Promise<ProjectRow | undefined>;
  expires: number;
}

/** Verified rows of projects, at most 5 s old: which epochs count is asked for every key that is lent. */
export class ProjectCache {
  readonly #entries = new Map<string, Entry>();
  readonly #read: (projectId: string) => Promise<ProjectRow | undefined>;
  readonly #now: () => number;

  /**
   * `read` gives the row from the database, verified; `now` is milliseconds of a clock that nobody sets back.
   */
  constructor(read: (projectId: string) => Promise<ProjectRow | undefined>, now: () => number) {
    this.#read = read;
    this.#now = now;
  }

  /** The project's row; undefined for one that is not there, which is asked for again each time. */
  async find(projectId: string): Promise<ProjectRow | undefined> {
    const now = this.#now();
    const known = this.#entries.get(projectId);
    if (known !== undefined && known.expires > now) return await known.row;
    const row = this.#read(projectId);
    if (this.#entries.size >= ENTRIES_MAX) this.#entries.clear();
    const entry = { row, expires: now + TTL_MS };
    this.#entries.set(projectId, entry);
    const drop = (): void => {
      if (this.#entries.get(projectId) === entry) this.#entries.delete(projectId);
    };
    // One that is not there is not remembered: another server may make it at any moment.
    row.then((found) => {
      if (found === undefined) drop();
    }, drop);
    return await row;
  }

  forget(projectId?: string): void {
    if (projectId === undefined) this.#entries.clear();
    else this.#entries.delete(projectId);
  }
}
