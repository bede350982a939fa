import { setTimeout as sleep } from 'node:timers/promises';
import { limitLog, type Postmaster, stopPostmaster } from './embedded-postmaster.ts';
import { signal } from './embedded-process.ts';

export interface Supervised {
  readonly pid: number;
  /**
   * Resolves when there is no PostgreSQL and there will be none: with null after `stop`, else with the number
   * of failed starts.
   */
  exited: Promise<number | null>;
  stop: () => Promise<void>;
}

const STARTS_FAILED_MAX = 10;
const BACKOFF_MS_MAX = 2_000;
/** Who lives shorter than this is started again less and less soon. */
const SETTLED_MS = 10_000;
const LOG_CHECK_MS = 60_000;

/** Keeps PostgreSQL running until it is stopped: whoever holds connections makes new ones. */
export function supervise(
  first: Postmaster,
  start: (stopped: AbortSignal) => Promise<Postmaster>,
  logPath: string,
  log: (line: string) => void,
): Supervised {
  const stopping = new AbortController();
  let current = first;
  let running = true;
  const endWithUs = (): void => {
    if (running) signal(current.pid, 'SIGINT');
  };
  process.once('exit', endWithUs);
  const logTimer = setInterval(() => limitLog(logPath, log), LOG_CHECK_MS).unref();

  const keep = async (): Promise<number | null> => {
    let early = 0;
    for (;;) {
      const since = performance.now();
      const how = await current.ended;
      running = false;
      if (stopping.signal.aborted) return null;
      early = performance.now() - since < SETTLED_MS ? early + 1 : 0;
      log(`PostgreSQL (pid ${current.pid}) ended by itself (${how}): it is started again`);
      await sleep(backoffMs(early - 1), undefined, { signal: stopping.signal }).catch(() => {});
      const next = await startAgain(start, stopping.signal, log);
      if (typeof next === 'number' || next === null) return next;
      current = next;
      running = true;
      log(`PostgreSQL runs again (pid ${current.pid})`);
    }
  };
  const exited = keep().finally(() => {
    clearInterval(logTimer);
    process.off('exit', endWithUs);
  });

  let stop: Promise<void> | undefined;
  return {
    get pid() {
      return current.pid;
    },
    exited,
    stop: () => {
      stop ??= (async () => {
        stopping.abort();
        if (running) await stopPostmaster(current.pid);
        // A start that was under way ends its own, and then this.
        await exited;
      })();
      return stop;
    },
  };
}

/** The next PostgreSQL; null when it was stopped meanwhile, or how often it failed to start. */
async function startAgain(
  start: (stopped: AbortSignal) => Promise<Postmaster>,
  stopped: AbortSignal,
  log: (line: string) => void,
): Promise<Postmaster | number | null> {
  for (let failures = 0; ; ) {
    if (stopped.aborted) return null;
    try {
      return await start(stopped);
    } catch (error) {
      if (stopped.aborted) return null;
      failures += 1;
      log((error as Error).message);
      if (failures >= STARTS_FAILED_MAX) return failures;
      await sleep(backoffMs(failures), undefined, { signal: stopped }).catch(() => {});
    }
  }
}

function backoffMs(failures: number): number {
  return failures <= 0 ? 0 : Math.min(BACKOFF_MS_MAX, 50 * 2 ** failures);
}
