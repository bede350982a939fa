import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
  lchownSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CofferError } from '../errors.ts';
import { type Account, identityFor, isRoot, namesOfOwners } from './embedded-account.ts';
import type { Binaries } from './embedded-binaries.ts';
import { makeOwnFolder, type Places } from './embedded-places.ts';

export const SUPERUSER = 'coffer';
const UNFINISHED = '.unfinished-';

/** Makes an empty cluster unless there is one: wholly written and synced before it gets its name. */
export async function makeCluster(places: Places, binaries: Binaries): Promise<'made' | 'found'> {
  const { cluster, account } = places;
  if (existsSync(join(cluster, 'PG_VERSION'))) {
    requireSameMajor(cluster, binaries);
    // A copy made by root belongs to root, and PostgreSQL wants its files to be its own.
    if (isRoot() && statSync(cluster).uid !== account.uid) giveTree(cluster, account);
    return 'found';
  }
  if (existsSync(cluster) && readdirSync(cluster).length > 0) {
    throw new CofferError('configuration', `${cluster} holds files, and they are no PostgreSQL database.`);
  }
  removeUnfinished(cluster);
  // Its own name each time: the initdb of a start that was killed may still write.
  const unfinished = `${cluster}${UNFINISHED}${randomUUID().slice(0, 8)}`;
  makeOwnFolder(unfinished, account);
  // Sorted by code points, with no locale of the system: the same on every machine.
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  // initdb tries sizes until they fit: with these it need not start with large ones.
  const sizes = ['-c', 'shared_buffers=16MB', '-c', 'max_connections=20'];
  const how = ['-U', SUPERUSER, '--no-sync', '--no-instructions', '--auth=peer', ...locale, ...sizes];
  await runInitdb(binaries, account, ['-D', unfinished, ...how]);
  await runInitdb(binaries, account, ['-D', unfinished, '--sync-only']);
  renameSync(unfinished, cluster);
  syncFolder(dirname(cluster));
  return 'made';
}

function removeUnfinished(cluster: string): void {
  const home = dirname(cluster);
  for (const name of readdirSync(home).filter((entry) =>
    entry.startsWith(`${basename(cluster)}${UNFINISHED}`),
  )) {
    rmSync(join(home, name), { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
  }
}

function requireSameMajor(cluster: string, binaries: Binaries): void {
  const made = readFileSync(join(cluster, 'PG_VERSION'), 'utf8').trim();
  const brought = binaries.version.split('.')[0];
  if (made !== brought) {
    throw new CofferError(
      'configuration',
      `${cluster} was made by PostgreSQL ${made}, and this Coffer brings PostgreSQL ${brought}.`,
    );
  }
}

async function runInitdb(binaries: Binaries, account: Account, args: string[]): Promise<void> {
  const child = spawn(binaries.initdb, args, {
    ...identityFor(account),
    cwd: '/',
    env: environmentFor(binaries),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  const code = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signalName) => resolve(status ?? signalName));
  });
  if (code !== 0) {
    const said = Buffer.concat(output).toString('utf8').trim().split('\n').slice(-5).join('\n');
    throw new CofferError(
      'configuration',
      `PostgreSQL could not make its folder (initdb: ${code}):\n${said}`,
    );
  }
}

/** Nothing of our own environment: PG… variables would change what PostgreSQL does. */
export function environmentFor(binaries: Binaries): NodeJS.ProcessEnv {
  const path = binaries.libraryPath;
  const loader = process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH';
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    LC_ALL: 'C',
    TZ: 'UTC',
    ...(path === undefined ? {} : { [loader]: path }),
  };
}

/** At every start, so that the settings are those of this version. */
export function writeSettings(places: Places, socketFolder: string, extra: Record<string, string>): void {
  const { cluster, account } = places;
  const settings = { ...SETTINGS, unix_socket_directories: socketFolder, ...extra };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  const names = namesOfOwners().map((name) => `owner "${name}" ${SUPERUSER}`);
  const access = ['local all all peer map=owner', 'local replication all peer map=owner'];
  replaceFile(join(cluster, 'postgresql.conf'), lines, account);
  replaceFile(join(cluster, 'pg_ident.conf'), names, account);
  replaceFile(join(cluster, 'pg_hba.conf'), access, account);
}

const SETTINGS = {
  // Reached through the socket alone, whose folder only its owner and root may enter.
  listen_addresses: '',
  port: '5432',
  unix_socket_permissions: '0700',
  max_connections: '60',
  // What was acknowledged is on disk.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  shared_buffers: '64MB',
  work_mem: '8MB',
  max_wal_size: '512MB',
  huge_pages: 'off',
  jit: 'off',
  // Disks of today: lists and counts read an index alone rather than the whole table.
  random_page_cost: '1.1',
  max_parallel_workers_per_gather: '0',
  // In the cluster, not in /dev/shm, where the system may clear it when a user logs out, and a kill leaves it
  // behind.
  dynamic_shared_memory_type: 'mmap',
  timezone: 'UTC',
  log_timezone: 'UTC',
  allow_alter_system: 'off',
  // The log names what happened, never the statement or its values: errors of statements go to their client
  // alone, and terse leaves out the details, which quote rows.
  logging_collector: 'off',
  log_destination: 'stderr',
  log_min_messages: 'log',
  log_error_verbosity: 'terse',
  log_min_error_statement: 'panic',
  log_statement: 'none',
  log_duration: 'off',
  log_min_duration_statement: '-1',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
  log_checkpoints: 'off',
  log_line_prefix: '%m [%p] ',
};

/**
 * The account may write in this folder, and so could have put links there for root to follow: replace, never
 * write into.
 */
function replaceFile(path: string, lines: string[], account: Account): void {
  const whole = `${path}.new`;
  rmSync(whole, { force: true });
  const file = openSync(whole, 'wx', 0o600);
  try {
    writeSync(file, `# Written by Coffer at every start.\n${lines.join('\n')}\n`);
    fchmodSync(file, 0o600);
    if (isRoot()) fchownSync(file, account.uid, account.gid);
  } finally {
    closeSync(file);
  }
  renameSync(whole, path);
}

function giveTree(path: string, account: Account): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) giveTree(inner, account);
    else lchownSync(inner, account.uid, account.gid);
  }
  lchownSync(path, account.uid, account.gid);
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
