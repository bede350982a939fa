import { setTimeout as wait } from 'node:timers/promises';
import { moveRows } from '../db/sealed.ts';
import type { ProjectRow, SealedRows, SealedTable } from '../db/schema.ts';
import { listRowsBelow, reportRotation, tablesOf } from './queries.ts';
import { type Rewrapped, type RotationParts, rewrapRows } from './rewrap.ts';

/** How the work is done: so many rows at once, so many a second at most. */
export interface RotationPace {
  rowsAtOnce: number;
  rowsPerSecond: number;
  /**
   * Between the last row's move and the destruction of the key: whoever read a row before has answered by
   * then.
   */
  restSeconds: number;
}

/** Rows under epochs below this one are moved, and a lease of so long is had for it. */
interface Task {
  below: bigint;
  leaseSeconds: number;
}

/** Many at once, because each reading sorts what is left. */
const ROWS_READ = 4_096;
const REPORT_EVERY_MS = 500;

/**
 * Moves the rows of a project to its active epoch, all that there are. A row that changes meanwhile is left
 * to a later round. Gives the number of those that do not verify.
 */
export async function moveProject(
  parts: RotationParts,
  pace: RotationPace,
  project: ProjectRow,
  task: Task,
  signal: AbortSignal,
): Promise<number> {
  const { id, active_epoch: to } = project;
  const writer = new Writer(parts, pace, project, task);
  for (const table of tablesOf(id)) {
    let after: string | null = null;
    do {
      const rows: SealedRows[SealedTable][] = await listRowsBelow(parts.db, table, id, task.below, {
        after,
        limit: ROWS_READ,
      });
      for (let first = 0; first < rows.length && !signal.aborted; first += pace.rowsAtOnce) {
        const some = rows.slice(first, first + pace.rowsAtOnce);
        // These are made while those before are being written.
        await writer.write(table, await rewrapRows(parts, table, some, to));
      }
      after = rows.length < ROWS_READ ? null : (rows.at(-1)?.id ?? null);
    } while (after !== null && !signal.aborted);
  }
  return await writer.end();
}

/** Writes one batch at a time, and reports now and then. */
class Writer {
  readonly #parts: RotationParts;
  readonly #pace: RotationPace;
  readonly #project: ProjectRow;
  readonly #task: Task;
  #writing: Promise<void> = Promise.resolve();
  #damaged = 0;
  #unreported = 0;
  #reportedAt = performance.now();

  constructor(parts: RotationParts, pace: RotationPace, project: ProjectRow, task: Task) {
    this.#parts = parts;
    this.#pace = pace;
    this.#project = project;
    this.#task = task;
  }

  /** Returns when the batch before is written. */
  async write(table: SealedTable, batch: Rewrapped): Promise<void> {
    await this.#writing;
    this.#writing = this.#write(table, batch);
    // Its failure is met by whoever waits for it next.
    this.#writing.catch(() => {});
  }

  async end(): Promise<number> {
    await this.#writing;
    if (this.#unreported > 0) await this.#report();
    return this.#damaged;
  }

  async #write(table: SealedTable, { changes, damaged }: Rewrapped): Promise<void> {
    const { id, active_epoch: to } = this.#project;
    const started = performance.now();
    this.#unreported += await moveRows(this.#parts.db, table, id, to, changes);
    this.#damaged += damaged;
    if (performance.now() - this.#reportedAt >= REPORT_EVERY_MS) await this.#report();
    const rest = (1_000 * changes.length) / this.#pace.rowsPerSecond - (performance.now() - started);
    if (rest > 0) await wait(rest);
  }

  async #report(): Promise<void> {
    const rewrapped = this.#unreported;
    this.#unreported = 0;
    this.#reportedAt = performance.now();
    await reportRotation(this.#parts.db, this.#project.id, {
      rewrapped,
      damaged: this.#damaged,
      seconds: this.#task.leaseSeconds,
    });
  }
}
