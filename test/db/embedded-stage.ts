import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { openDatabase } from '../../src/db/open.ts';
import { type PrivatePostgres, startPrivatePostgres } from '../../src/db/embedded.ts';

export const isRoot = process.geteuid?.() === 0;
export const quiet = (): void => {};

/** A folder that the user PostgreSQL runs as may pass through, as most folders may be. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'coffer-embedded-'));
  chmodSync(folder, 0o711);
  return folder;
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** A folder for one test, and the databases that it starts there. */
export interface PostgresStage {
  folder: string;
  data: string;
  /** In the folder's `data` unless told otherwise; what it says is added to the lines. */
  start: (dataDirectory?: string, lines?: string[]) => Promise<PrivatePostgres>;
  /** Stops what was started, and takes the folder away. */
  clear: () => Promise<void>;
}

export function openPostgresStage(): PostgresStage {
  const folder = makeFolder();
  const data = join(folder, 'data');
  const started: PrivatePostgres[] = [];
  return {
    folder,
    data,
    start: async (dataDirectory = data, lines = []) => {
      const postgres = await startPrivatePostgres({ dataDirectory, log: (line) => lines.push(line) });
      started.push(postgres);
      return postgres;
    },
    clear: async () => {
      for (const postgres of started) await postgres.stop();
      removeFolder(folder);
    },
  };
}

export interface Owner {
  child: ChildProcessWithoutNullStreams;
  /** The next line that has this field; undefined when there are no more. */
  next: (field: string) => Promise<Record<string, unknown> | undefined>;
  /** Kills it unless it has ended, and says how it ended. */
  end: (signal?: NodeJS.Signals) => Promise<number | null>;
}

/** Bundles `embedded-owner.ts` into this folder. */
export async function buildOwner(folder: string): Promise<string> {
  const outfile = join(folder, 'owner.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('embedded-owner.ts', import.meta.url))],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile,
    external: ['pg-native'],
    banner: {
      js: "import { createRequire as bundledRequire } from 'node:module'; const require = bundledRequire(import.meta.url);",
    },
    logLevel: 'silent',
  });
  symlinkSync(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(folder, 'node_modules'));
  return outfile;
}

export function startOwner(program: string, ...args: string[]): Owner {
  const child = spawn(process.execPath, [program, ...args]);
  child.stderr.pipe(process.stderr);
  const exited = once(child, 'exit');
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next: Owner['next'] = async (field) => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done === true) return undefined;
      const line = JSON.parse(value) as Record<string, unknown>;
      if (field in line) return line;
    }
  };
  const end: Owner['end'] = async (signal = 'SIGKILL') => {
    child.kill(signal);
    const [code] = (await exited) as [number | null];
    return code;
  };
  return { child, next, end };
}

/** Every living process that works in this folder, whatever its name. */
export function processesIn(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return (
          readlinkSync(`/proc/${name}/cwd`).startsWith(folder) &&
          !/\) [ZX] /.test(readFileSync(`/proc/${name}/stat`, 'utf8'))
        );
      } catch {
        return false;
      }
    })
    .map(Number);
}

export async function ask(postgres: PrivatePostgres, text: string): Promise<Record<string, unknown>[]> {
  const db = openDatabase({ connection: { ...postgres.connection } });
  try {
    return (await db.query({ text })).rows;
  } finally {
    await db.close();
  }
}
