import { existsSync, readFileSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';

/** What can happen to a token, or to the process that holds its library; the answer mends it. */
type Fault = (tokenPid: () => number | undefined) => Promise<() => Promise<void>>;

const HEARD_MS = 30;
const LOOK_EVERY_MS = 5;

const signal =
  (name: NodeJS.Signals): Fault =>
  async (tokenPid) => {
    send(tokenPid(), name);
    await wait(HEARD_MS);
    return async () => {};
  };

/** The folder of the tokens is away while they are taken out. */
export function faultsOf({ tokens }: { tokens: string }): ReadonlyMap<string, Fault> {
  return new Map<string, Fault>([
    ['the child is killed', signal('SIGKILL')],
    ['the child hangs', signal('SIGSTOP')],
    ['its sessions are closed', signal('SIGUSR1')],
    ['the library is finalized', signal('SIGUSR2')],
    [
      'the token is taken out and put back',
      async () => {
        await rename(tokens, `${tokens}.away`);
        return async () => await rename(`${tokens}.away`, tokens);
      },
    ],
    ['the child is killed and the next one hangs as it starts', hangAtStart],
  ]);
}

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
