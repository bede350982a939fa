import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findPostgres } from '../../src/db/embedded-process.ts';
import { findFreePort } from './free-port.ts';
import { type Ended, ServerProcess, type Surroundings } from './server-process.ts';

/** The command as `npm start` builds it, in a temporary folder that holds the installations too. */
export interface BuiltCoffer {
  /** An empty folder, and a port for the server that runs in it. */
  emptyFolder(env?: Record<string, string>): Promise<Folder>;
  /** Ends what still runs and removes everything. */
  remove(): Promise<void>;
}

export interface Folder {
  path: string;
  data: string;
  keyring: string;
  openrc: string;
  port: number;
  url: string;
  env: Record<string, string>;
  /** `coffer serve` here; it may still be on its way up. */
  serve(env?: Record<string, string>): ServerProcess;
  /** `coffer worker` here. */
  work(env?: Record<string, string>, args?: string[]): ServerProcess;
  /** Any other command, to its end. */
  run(args: string[], options?: { env?: Record<string, string>; stdin?: string }): Promise<Ended>;
  /** All processes of the private PostgreSQL here. */
  postgresPids(): number[];
}

export async function buildCoffer(): Promise<BuiltCoffer> {
  const root = await mkdtemp(join(tmpdir(), 'coffer-built-'));
  // PostgreSQL never runs as root: the account that it runs as then passes through here.
  await chmod(root, 0o755);
  const program = join(root, 'dist', 'coffer.js');
  const env = { ...process.env, BUILD_DIR: join(root, 'dist') };
  await promisify(execFile)('npm', ['run', '--silent', 'prestart'], { env });
  await symlink(join(process.cwd(), 'node_modules'), join(root, 'node_modules'));
  const started: ServerProcess[] = [];
  const folders: Folder[] = [];
  const spawnIn = (args: string[], surroundings: Surroundings): ServerProcess => {
    const server = new ServerProcess([program, ...args], surroundings);
    started.push(server);
    return server;
  };
  return {
    emptyFolder: async (env = {}) => {
      const path = join(root, `installation-${folders.length}`);
      await mkdir(path, { mode: 0o755 });
      const folder = describeFolder(path, await findFreePort(), env, spawnIn);
      folders.push(folder);
      return folder;
    },
    remove: async () => {
      for (const server of started) server.kill('SIGKILL');
      await Promise.all(started.map(async (server) => await server.ended));
      for (const pid of folders.flatMap((folder) => folder.postgresPids())) killQuietly(pid);
      await rm(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

function describeFolder(
  path: string,
  port: number,
  ownEnv: Record<string, string>,
  spawnIn: (args: string[], surroundings: Surroundings) => ServerProcess,
): Folder {
  const data = join(path, 'data');
  const env = { COFFER_LISTEN: `127.0.0.1:${port}`, ...ownEnv };
  return {
    path,
    data,
    keyring: join(path, 'keys'),
    openrc: join(data, 'admin-openrc'),
    port,
    url: `http://127.0.0.1:${port}`,
    env,
    serve: (more = {}) => spawnIn(['serve'], { cwd: path, env: { ...env, ...more } }),
    work: (more = {}, args = []) => spawnIn(['worker', ...args], { cwd: path, env: { ...env, ...more } }),
    run: async (args, { env: more = {}, stdin = '' } = {}) => {
      return await spawnIn(args, { cwd: path, env: { ...env, ...more }, stdin }).ended;
    },
    postgresPids: () => (existsSync(join(data, 'postgres')) ? findPostgres(join(data, 'postgres')) : []),
  };
}

export function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
