import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { build } from 'esbuild';

const ROUNDS = 15;
const CLIENT = 'dist/bench/client.mjs';

export interface StartUp {
  /** Milliseconds from the start of a process to the first byte it writes, at the median. */
  emptyNode: number;
  secretGet: number;
  /** Milliseconds that the import of the client takes within a process, at the median. */
  importClient: number;
}

/**
 * What a person waits for: the command's first byte from a server near by, beside a Node that does nothing.
 */
export async function measureStartUp(url: string, token: string, secretId: string): Promise<StartUp> {
  await build({
    entryPoints: ['src/client/index.ts'],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'neutral',
    outfile: CLIENT,
    logLevel: 'warning',
  });
  const env = { PATH: process.env['PATH'], COFFER_URL: url, OS_TOKEN: token };
  const get = ['dist/coffer.js', 'secret', 'get', secretId];
  return {
    emptyNode: await median(() => firstByte(['-p', '1'], env)),
    secretGet: await median(() => firstByte(get, env)),
    importClient: await median(importClient),
  };
}

async function median(measureOne: () => Promise<number>): Promise<number> {
  const measured: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) measured.push(await measureOne());
  return measured.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? NaN;
}

async function firstByte(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const began = performance.now();
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const ms = await new Promise<number>((resolve) => {
    child.stdout.once('data', () => resolve(performance.now() - began));
    child.stdout.once('end', () => resolve(NaN));
  });
  await ended;
  return ms;
}

async function importClient(): Promise<number> {
  const script = `const t = performance.now(); await import('./${CLIENT}'); console.log(performance.now() - t)`;
  const args = ['--input-type=module', '-e', script];
  return Number((await promisify(execFile)(process.execPath, args)).stdout);
}
