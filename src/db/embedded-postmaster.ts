import { spawn, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { CofferError } from '../errors.ts';
import { identityFor } from './embedded-account.ts';
import type { Binaries } from './embedded-binaries.ts';
import { environmentFor, SUPERUSER } from './embedded-cluster.ts';
import type { Places } from './embedded-places.ts';
import { findPostgres, readPostmasterPid, signal, waitUntilGone } from './embedded-process.ts';

export interface Connection {
  host: string;
  port: number;
  database: string;
  user: string;
  ssl: false;
}

export interface Postmaster {
  pid: number;
  /** How it ended. */
  ended: Promise<number | NodeJS.Signals | null>;
}

const DATABASE = 'coffer';
const FAST_STOP_MS = 10_000;
const IMMEDIATE_STOP_MS = 6_000;
const READY_POLL_MS = 10;
const READY_MS_MAX = 600_000;
export const LOG_BYTES_MAX = 4 * 1024 * 1024;

export function connectionTo(socketFolder: string): Connection {
  // All fields, so that no PG… variable of the environment has a say.
  return { host: socketFolder, port: 5432, database: DATABASE, user: SUPERUSER, ssl: false };
}

/** Started, and ready for connections to the database `coffer`. */
export async function startPostmaster(
  places: Places,
  binaries: Binaries,
  socketFolder: string,
  { stopped, log }: { stopped: AbortSignal; log: (line: string) => void },
): Promise<Postmaster> {
  stopped.throwIfAborted();
  limitLog(places.log, log);
  const file = openSync(places.log, LOG_FLAGS, 0o600);
  const logBytes = fstatSync(file).size;
  // A group of its own: Ctrl-C on our terminal is for us, and we stop it in order. No core files: they hold
  // memory.
  const child = spawn(
    '/bin/sh',
    ['-c', 'ulimit -c 0; exec "$0" "$@"', binaries.postgres, '-D', places.cluster],
    {
      ...identityFor(places.account),
      cwd: '/',
      env: environmentFor(binaries),
      stdio: ['ignore', file, file],
      detached: true,
    },
  );
  closeSync(file);
  const postmaster = await describe(child);
  try {
    await waitUntilReady(postmaster, connectionTo(socketFolder), stopped);
    return postmaster;
  } catch (cause) {
    await stopPostmaster(postmaster.pid);
    stopped.throwIfAborted();
    const said = readFileSync(places.log)
      .subarray(logBytes)
      .toString('utf8')
      .trim()
      .split('\n')
      .slice(-3)
      .join('\n');
    throw new CofferError(
      'configuration',
      `PostgreSQL did not start (${(cause as Error).message}).\n${said}`,
      { cause },
    );
  }
}

async function describe(child: ChildProcess): Promise<Postmaster> {
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once('exit', (code, signalName) => resolve(code ?? signalName));
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  return { pid: child.pid ?? 0, ended };
}

async function waitUntilReady(
  postmaster: Postmaster,
  connection: Connection,
  stopped: AbortSignal,
): Promise<void> {
  let over: string | undefined;
  void postmaster.ended.then((how) => (over = `it ended: ${how}`));
  const deadline = performance.now() + READY_MS_MAX;
  for (;;) {
    const failure = await probe(connection);
    if (failure === undefined) return;
    if (failure === '3D000') await createDatabase(connection);
    else if (over !== undefined) throw new Error(over);
    else if (stopped.aborted) throw stopped.reason;
    else if (!NOT_YET.has(failure)) throw new Error(`it refuses connections: ${failure}`);
    else if (performance.now() > deadline) throw new Error('it was not ready in time');
    else await sleep(READY_POLL_MS);
  }
}

/** No socket yet; nobody listens on it yet; starting up, or recovering what a kill left. */
const NOT_YET = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', '57P03']);

/** The code of what keeps us from connecting. */
export async function probe(connection: Connection): Promise<string | undefined> {
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
  } finally {
    await client.end().catch(() => {});
  }
}

async function createDatabase(connection: Connection): Promise<void> {
  const client = new pg.Client({ ...connection, database: 'postgres' });
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${DATABASE} TEMPLATE template0`);
  } finally {
    await client.end();
  }
}

/** In order first (sessions end, a checkpoint is written), by force when that takes too long. */
export async function stopPostmaster(pid: number): Promise<void> {
  for (const [name, patienceMs] of [
    ['SIGINT', FAST_STOP_MS],
    ['SIGQUIT', IMMEDIATE_STOP_MS],
    ['SIGKILL', IMMEDIATE_STOP_MS],
  ] as const) {
    signal(pid, name);
    if (await waitUntilGone([pid], patienceMs)) return;
  }
  throw new Error(`PostgreSQL (pid ${pid}) cannot be ended`);
}

/**
 * Ends what an earlier owner left: a PostgreSQL that still runs, or the orphans of one that was killed, and
 * the files by which PostgreSQL would take a process that now has its pid for itself. Only who holds the lock
 * may do this.
 */
export async function sweep(cluster: string, log: (line: string) => void): Promise<boolean> {
  const noted = readPostmasterPid(cluster);
  const left = findPostgres(cluster);
  const wasRunning = noted !== undefined && left.includes(noted);
  if (wasRunning) {
    log(
      `PostgreSQL (pid ${noted}) still runs, left by a server that was killed: it is stopped and started again`,
    );
    await stopPostmaster(noted);
  }
  const orphans = findPostgres(cluster);
  for (const pid of orphans) signal(pid, 'SIGKILL');
  if (!(await waitUntilGone(orphans, IMMEDIATE_STOP_MS))) {
    throw new Error(`processes of an earlier PostgreSQL cannot be ended: ${orphans.join(', ')}`);
  }
  if (process.platform === 'linux') rmSync(join(cluster, 'postmaster.pid'), { force: true });
  return wasRunning;
}

const LOG_FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;

/** A log that cannot be cut, as on a full disk, ends nothing and holds no start up. */
export function limitLog(path: string, log: (line: string) => void): void {
  try {
    cutLog(path);
  } catch (error) {
    log(`The log of PostgreSQL cannot be cut: ${(error as Error).message}`);
  }
}

/** Copied and cut, not renamed: a running PostgreSQL keeps writing to the file it was given. */
function cutLog(path: string): void {
  try {
    const file = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
    try {
      if (fstatSync(file).size <= LOG_BYTES_MAX) return;
      const copy = `${path}.1`;
      rmSync(copy, { force: true });
      try {
        writeFileSync(copy, readFileSync(file), { flag: 'wx', mode: 0o600 });
      } catch (error) {
        rmSync(copy, { force: true });
        throw error;
      }
      ftruncateSync(file, 0);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return;
    if (code !== 'EACCES') throw error;
    // Written by root, when the server was started as root once: ours to replace, as the folder is ours.
    rmSync(path, { force: true });
  }
}
