import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: Buffer;
  stderr: string;
}

interface Given {
  env?: Record<string, string>;
  stdin?: string | Uint8Array;
}

/** The command as it is published, built into a folder of its own. */
export interface BuiltCoffer {
  /** A home directory that is empty at first. */
  home: string;
  run(args: readonly string[], given?: Given): Promise<Ended>;
  start(args: readonly string[], given?: Given): { child: ChildProcess; ended: Promise<Ended> };
  remove(): void;
}

export async function buildCoffer(): Promise<BuiltCoffer> {
  const home = mkdtempSync(join(tmpdir(), 'coffer-built-'));
  symlinkSync(resolve('node_modules'), join(home, 'node_modules'));
  const outdir = join(home, 'dist');
  const env = { ...process.env, BUILD_DIR: outdir };
  await promisify(execFile)('npm', ['run', '-s', 'prestart'], { env });

  const start = (args: readonly string[], { env = {}, stdin = '' }: Given = {}) => {
    const child = spawn(process.execPath, [join(outdir, 'coffer.js'), ...args], {
      cwd: home,
      env: { PATH: process.env['PATH'], HOME: home, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // who does not read its input may be gone before it was written
    child.stdin.on('error', () => undefined);
    child.stdin.end(stdin);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    const ended = new Promise<Ended>((end) => {
      child.on('close', (code, signal) => {
        end({ code, signal, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString('utf8') });
      });
    });
    return { child, ended };
  };
  return {
    home,
    start,
    run: (args, given) => start(args, given).ended,
    remove: () => rmSync(home, { recursive: true, force: true }),
  };
}
