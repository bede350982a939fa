import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { CofferError } from '../errors.ts';
import { type Account, chooseAccount, findClosedFolder, isRoot } from './embedded-account.ts';

// <data>/postgres is PostgreSQL's own folder, the cluster. What belongs to it (lock, log, socket) is beside
// it in `home`: <data> itself, or for root, whose folders may be closed to the account that PostgreSQL runs
// as, a folder under ROOT_HOMES, to which links in <data> point.

export interface Places {
  home: string;
  cluster: string;
  lock: string;
  log: string;
  account: Account;
}

export const ROOT_HOMES = '/var/lib/coffer';
const LINKED = ['coffer.pid', 'postgres.log', 'postgres'];
const SOCKET_NAME = '.s.PGSQL.5432';
/** The system takes 107 bytes (103 on macOS). */
const SOCKET_PATH_BYTES_MAX = 100;

export function preparePlaces(dataDirectory: string, log: (line: string) => void): Places {
  const data = makeDataDirectory(dataDirectory);
  const existing = findHome(data);
  const account = chooseAccount(ownerOf(join(existing ?? data, 'postgres')) ?? ownerOf(data));
  const home = existing ?? chooseHome(data, account, log);
  const closed = findClosedFolder(home, account);
  if (closed !== undefined) {
    throw new CofferError(
      'configuration',
      `PostgreSQL runs as user ${account.name}, whom the folder ${closed} keeps from ${home}. Open it (chmod o+x), or move the data.`,
    );
  }
  return {
    home,
    cluster: join(home, 'postgres'),
    lock: join(home, 'coffer.pid'),
    log: join(home, 'postgres.log'),
    account,
  };
}

function makeDataDirectory(path: string): string {
  const mode = isRoot() ? 0o711 : 0o700;
  if (mkdirSync(path, { recursive: true, mode }) !== undefined) chmodSync(path, mode);
  return realpathSync(path);
}

/** Where an earlier start put the cluster. */
function findHome(data: string): string | undefined {
  const place = join(data, 'postgres');
  const found = lstatSync(place, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (!found.isSymbolicLink()) return data;
  const home = dirname(resolve(data, readlinkSync(place)));
  if (statSync(home, { throwIfNoEntry: false }) === undefined) {
    throw new CofferError(
      'configuration',
      `The database of ${data} is in ${home}, and that folder is gone. Bring it back, or remove ${place} to begin with an empty database.`,
    );
  }
  return home;
}

function ownerOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.uid;
}

function chooseHome(data: string, account: Account, log: (line: string) => void): string {
  if (!isRoot()) return data;
  const closed = findClosedFolder(data, account);
  if (closed === undefined) return data;
  if (closed === data && statSync(data).uid === 0) {
    // It is Coffer's own folder: to pass through it lets nobody list it, nor read what is closed in it.
    chmodSync(data, statSync(data).mode | 0o011);
    return data;
  }
  const chosen = chooseRootHome(data);
  for (const name of LINKED) linkIfMissing(join(chosen, name), join(data, name));
  // Of two first starts at once, the one whose links came first has chosen.
  const home = findHome(data) ?? chosen;
  log(`PostgreSQL runs as user ${account.name}, to whom ${closed} is closed: the database is in ${home}`);
  return home;
}

/** Named after the path, but never the home of a database that an earlier folder of this path left there. */
function chooseRootHome(data: string): string {
  makeRootFolder(ROOT_HOMES);
  const name = createHash('sha256').update(data).digest('hex').slice(0, 16);
  for (let number = 1; ; number++) {
    const home = join(ROOT_HOMES, number === 1 ? name : `${name}-${number}`);
    if (existsSync(join(home, 'postgres'))) continue;
    makeRootFolder(home);
    return home;
  }
}

export function makeRootFolder(path: string): void {
  mkdirIfMissing(path, 0o711);
  requireRootOnly(path);
}

export function requireRootOnly(path: string): void {
  const { uid, mode } = lstatSync(path);
  if (uid !== 0 || (mode & 0o022) !== 0) {
    throw new CofferError('configuration', `${path} can be changed by others than root, and so is not used.`);
  }
}

function mkdirIfMissing(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
    chmodSync(path, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function linkIfMissing(target: string, path: string): void {
  try {
    symlinkSync(target, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/**
 * An empty folder of this account alone. Where the account owns what is above, it may put links in root's
 * way: follow none.
 */
export function makeOwnFolder(path: string, account: Account): void {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { mode: 0o700 });
  if (isRoot()) lchownSync(path, account.uid, account.gid);
}

/** Where the running PostgreSQL of this home has its socket. */
export function findSocketFolder(home: string): string {
  const run = join(home, 'run');
  return lstatSync(run, { throwIfNoEntry: false })?.isSymbolicLink() === true ? readlinkSync(run) : run;
}

/** A socket's path is short by law of the system: where the home's is long, its folder is a temporary one. */
export function makeSocketFolder({ home, account }: Places): string {
  removeSocketFolder({ home, account });
  const run = join(home, 'run');
  if (fits(run)) {
    makeOwnFolder(run, account);
    return run;
  }
  const parent = [tmpdir(), '/tmp'].find(
    (folder) => fits(join(folder, 'coffer-XXXXXX')) && findClosedFolder(folder, account) === undefined,
  );
  if (parent === undefined)
    throw new CofferError('configuration', `The path ${home} is too long for a socket.`);
  const folder = mkdtempSync(join(parent, 'coffer-'));
  if (isRoot()) lchownSync(folder, account.uid, account.gid);
  symlinkSync(folder, run);
  return folder;
}

export function removeSocketFolder({ home, account }: Pick<Places, 'home' | 'account'>): void {
  const folder = findSocketFolder(home);
  const run = join(home, 'run');
  // Another user may have taken the name since: only what is ours goes.
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (folder !== run && found?.isDirectory() === true && found.uid === account.uid) {
    rmSync(folder, { recursive: true, force: true });
  }
  rmSync(run, { recursive: true, force: true });
}

function fits(folder: string): boolean {
  return Buffer.byteLength(join(folder, SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX;
}
