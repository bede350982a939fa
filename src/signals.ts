import { isatty } from 'node:tty';

/** What this process is told by signals. */
export interface Signals {
  /** Resolves to the exit code when it is to end. */
  ended: Promise<number>;
  /** Aborted then. */
  ending: AbortSignal;
  /** From now on `reload` runs when its files are to be read again; at once when that was wished before. */
  onReload(reload: () => void): void;
}

/**
 * SIGTERM and SIGINT end the process. SIGHUP is two things: the end of the terminal that it was started from,
 * which ends it, and else the wish that its files are read again.
 */
export function listenForSignals(): Signals {
  const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
  // A terminal that was closed is none any more.
  const isTerminalGone = (): boolean => terminals.some((descriptor) => !isatty(descriptor));
  let reload: (() => void) | undefined;
  let isWished = false;
  const ending = new AbortController();
  const ended = new Promise<number>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(0));
    // Node would take it for an end at once, nohup or not.
    process.on('SIGHUP', () => {
      if (isTerminalGone()) resolve(0);
      else if (reload === undefined) isWished = true;
      else reload();
    });
  });
  void ended.then(() => ending.abort(new Error('the process was told to end')));
  return {
    ended,
    ending: ending.signal,
    onReload: (use) => {
      reload = use;
      if (isWished) use();
    },
  };
}
