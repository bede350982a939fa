import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

// A pid says little: it is given again after its process ended, and after a reboot. Boot and start time tell
// them apart.

const IS_LINUX = process.platform === 'linux';
const POLL_MS = 10;

/** When this process started, in words that no other process of this pid has; undefined when it has ended. */
export function birthOf(pid: number): string | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  return IS_LINUX ? birthFromProc(pid) : birthFromPs(pid);
}

function birthFromProc(pid: number): string | undefined {
  const stat = readStat(String(pid));
  return stat === undefined
    ? undefined
    : `${readText('/proc/sys/kernel/random/boot_id') ?? ''}/${stat.start}`;
}

function birthFromPs(pid: number): string | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return line === '' || line.startsWith('Z') ? undefined : line.split(/\s+/).slice(1).join(' ');
  } catch {
    // `ps` ends with 1 when there is no such process.
    return undefined;
  }
}

/** Processes of another pid namespace (another container) cannot be seen, and their pids mean others here. */
export function pidNamespace(): string {
  try {
    return IS_LINUX ? readlinkSync('/proc/self/ns/pid') : '';
  } catch {
    return '';
  }
}

/** Every process of the PostgreSQL of this cluster, the postmaster's orphans too. */
export function findPostgres(cluster: string): number[] {
  return IS_LINUX ? findPostgresInProc(realpathSync(cluster)) : findPostmasterWithPs(cluster);
}

function findPostgresInProc(cluster: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && readStat(name)?.command === 'postgres')
    .filter((name) => readLink(`/proc/${name}/cwd`) === cluster)
    .map(Number);
}

function findPostmasterWithPs(cluster: string): number[] {
  const pid = readPostmasterPid(cluster);
  if (pid === undefined) return [];
  try {
    const command = execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
    return command.includes(cluster) ? [pid] : [];
  } catch {
    return [];
  }
}

/** The pid that PostgreSQL noted in its folder, whether that process still lives or not. */
export function readPostmasterPid(cluster: string): number | undefined {
  const pid = Number.parseInt(readText(`${cluster}/postmaster.pid`) ?? '', 10);
  return pid > 0 ? pid : undefined;
}

/** Sends nothing to a process that has ended. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Whether all of them ended in time. */
export async function waitUntilGone(pids: readonly number[], timeoutMs: number): Promise<boolean> {
  const waited = pids.map((pid) => ({ pid, birth: birthOf(pid) })).filter(({ birth }) => birth !== undefined);
  const deadline = performance.now() + timeoutMs;
  while (waited.some(({ pid, birth }) => birthOf(pid) === birth)) {
    if (performance.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

function readStat(pid: string): { command: string; start: string } | undefined {
  const text = readText(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The command may hold blanks and parentheses: what follows its last parenthesis is regular (proc(5)).
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  const state = fields[0] ?? 'X';
  if (state === 'Z' || state === 'X') return undefined;
  return { command: text.slice(text.indexOf('(') + 1, end), start: fields[19] ?? '' };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
