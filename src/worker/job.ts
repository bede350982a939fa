/** Work that is nobody's request. It may be cut off anywhere, and run on several nodes at once. */
export interface Job {
  /** From a closed list: it labels metrics. */
  name: string;
  /** The rest between two runs that left nothing to do. */
  everyMs: number;
  /** How many runs of it may be under way in one process; one by default. */
  parallel?: number;
  /**
   * One batch: `more` when there is more to do at once. When the signal is aborted it ends soon, or gives up
   * what it took. What it throws is logged, and it runs again after a while.
   */
  run(signal: AbortSignal): Promise<'more' | 'done'>;
}
