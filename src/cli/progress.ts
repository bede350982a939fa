import type { CommandContext } from './command.ts';

/** How far long work has come: a bar on a terminal, a line of JSON at a time on a pipe. */
export interface Progress {
  show(done: number, total: number, fields?: Readonly<Record<string, string | number>>): void;
  /** Ends the bar's line. */
  end(): void;
}

const BAR_WIDTH = 30;
const LINE_EVERY_MS = 1_000;

export function createProgress({ stderr }: CommandContext, what: string): Progress {
  let last = 0;
  let lastLine = '';
  let isOpen = false;
  const drawBar = (done: number, total: number): void => {
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const full = Math.round(share * BAR_WIDTH);
    const bar = `${'#'.repeat(full)}${'.'.repeat(BAR_WIDTH - full)}`;
    stderr.write(`\r${what} [${bar}] ${done}/${total}`);
    isOpen = true;
  };
  const writeLine = (done: number, total: number, fields: object): void => {
    const now = performance.now();
    if (now - last < LINE_EVERY_MS && done < total) return;
    last = now;
    const line = `${JSON.stringify({ progress: what, done, total, ...fields })}\n`;
    if (line !== lastLine) stderr.write(line);
    lastLine = line;
  };
  return {
    show: (done, total, fields = {}) => {
      if (stderr.isTTY) drawBar(done, total);
      else writeLine(done, total, fields);
    },
    end: () => {
      if (isOpen) stderr.write('\n');
      isOpen = false;
    },
  };
}
