import { existsSync, readFileSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** What can happen to a token, or to the process that holds its library; the answer mends it. */
type Fault = (tokenPid: () => number | undefined) => Promise<() => Promise<void>>;

const LOOK_EVERY_MS = 5;
/** Beside the settings of SoftHSM: there once the token's process did what a signal asked for. */
export const HEARD = 'heard';
/**
 * What becomes of log-ins while it is there: `stall` until it is gone, `crash` after them, or the code that
 * they are answered with.
 */
export const LOGIN_HARM = 'log-in-harm';
/** A line for each log-in. */
export const LOGINS = 'log-ins';
/** Whatever process decrypts while it is there never does so again. */
export const LOST_FOOTING = 'lost-footing';
/** Of each answer: how many texts it was about, and how many of them the process still has. */
export const SENT_KEYS = 'sent-keys';

/** Sends a signal, and waits for what it does: later it would harm what comes after. */
const signal =
  (name: NodeJS.Signals, isHeard: (state: string) => boolean): Fault =>
  async (tokenPid) => {
    const pid = tokenPid();
    send(pid, name);
    for (let state = stateOf(pid); !isGone(state) && !isHeard(state); state = stateOf(pid)) {
      await wait(LOOK_EVERY_MS);
    }
    return async () => {};
  };

/** As `ps` shows it: T where it is stopped; empty for none. */
function stateOf(pid: number | undefined): string {
  try {
    return /\) (\S) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';
  } catch {
    return '';
  }
}

const isGone = (state: string): boolean => ['', 'Z', 'X'].includes(state);

/** The folder of the tokens is away while they are taken out. */
export function faultsOf({ tokens }: { tokens: string }): ReadonlyMap<string, Fault> {
  const heard = join(dirname(tokens), HEARD);
  const harm =
    (name: NodeJS.Signals): Fault =>
    async (tokenPid) => {
      await rm(heard, { force: true });
      return await signal(name, () => existsSync(heard))(tokenPid);
    };
  return new Map<string, Fault>([
    ['the child is killed', signal('SIGKILL', isGone)],
    ['the child hangs', signal('SIGSTOP', (state) => state === 'T')],
    ['its sessions are closed', harm('SIGUSR1')],
    ['the library is finalized', harm('SIGUSR2')],
    [
      'the token is taken out and put back',
      async () => {
        await rename(tokens, `${tokens}.away`);
        return async () => await rename(`${tokens}.away`, tokens);
      },
    ],
    ['the child is killed and the next one hangs as it starts', hangAtStart],
    ['the child is killed, so is the next one as it logs in, and the third hangs in it', harmLogins(tokens)],
  ]);
}

const harmLogins =
  (tokens: string): Fault =>
  async (tokenPid) => {
    const harm = join(dirname(tokens), LOGIN_HARM);
    const heard = join(dirname(tokens), HEARD);
    await writeFile(harm, 'stall');
    for (let killed = 0; killed < 2; killed += 1) {
      await rm(heard, { force: true });
      send(tokenPid(), 'SIGKILL');
      while (!existsSync(heard)) await wait(LOOK_EVERY_MS);
    }
    return async () => await rm(harm);
  };

const hangAtStart: Fault = async (tokenPid) => {
  const first = tokenPid();
  send(first, 'SIGKILL');
  while (tokenPid() === first || !isBegun(tokenPid())) await wait(LOOK_EVERY_MS);
  const second = tokenPid();
  send(second, 'SIGSTOP');
  return async () => send(second, 'SIGCONT');
};

/** Before it runs its own program it is a part of its parent, which would be stopped with it. */
function isBegun(pid: number | undefined): boolean {
  const file = `/proc/${pid}/cmdline`;
  return pid !== undefined && existsSync(file) && readFileSync(file, 'utf8').includes('token.js');
}

/** One that has ended meanwhile needs no signal. */
function send(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

export const FAULT_NAMES = [...faultsOf({ tokens: '' }).keys()];
