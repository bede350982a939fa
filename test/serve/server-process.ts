import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Surroundings {
  cwd: string;
  env: Record<string, string>;
  stdin?: string;
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

const READY_MS_MAX = 60_000;
const ENDED_MS_MAX = 30_000;

/** A process of the built command, with nothing of this environment but what finds programs. */
export class ServerProcess {
  readonly pid: number;
  readonly started = performance.now();
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  #hasEnded = false;

  constructor(args: string[], { cwd, env, stdin = '' }: Surroundings) {
    const inherited = { PATH: process.env.PATH ?? '', HOME: cwd };
    const child = spawn(process.execPath, args, { cwd, env: { ...inherited, ...env }, stdio: 'pipe' });
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    child.stdin.on('error', () => {}).end(stdin);
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        this.#hasEnded = true;
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Until it has said that it serves. Resolves to the milliseconds since its start. */
  async ready(): Promise<number> {
    return await this.#until('Coffer serves ');
  }

  /** Until it has said that it waits for the shares of its keyring. */
  async sealed(): Promise<number> {
    return await this.#until('Coffer is sealed');
  }

  async #until(line: string): Promise<number> {
    while (!this.stderr.includes(line)) {
      if (this.#hasEnded) throw new Error(`it ended instead of serving:\n${this.stderr}`);
      if (performance.now() - this.started > READY_MS_MAX) throw new Error(`not ready:\n${this.stderr}`);
      await sleep(5);
    }
    return performance.now() - this.started;
  }

  async stop(): Promise<Ended> {
    this.kill('SIGTERM');
    return await this.end();
  }

  /** Its end, which must come by itself. */
  async end(): Promise<Ended> {
    const late = sleep(ENDED_MS_MAX, undefined, { ref: false }).then(() => {
      throw new Error(`pid ${this.pid} does not end:\n${this.stderr}`);
    });
    return await Promise.race([this.ended, late]);
  }
}
