import { execFileSync } from 'node:child_process';

/** The command lines of the processes that generate keys for this one. */
export function childrenOf(pid: number): string[] {
  const list = execFileSync('ps', ['-o', 'args=', '--ppid', String(pid)], { encoding: 'utf8' });
  return list.split('\n').filter((line) => line.includes('--eval'));
}
