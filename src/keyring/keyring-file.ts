import { randomBytes } from 'node:crypto';
import { type FileHandle, link, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KEY_BYTES, wipe } from '../crypto/envelope.ts';
import type { CofferError } from '../errors.ts';
import {
  ID_RULE,
  INSTALLATION_BYTES,
  isMasterKeyId,
  type MasterKeys,
  parseKeyring,
  parseLines,
  refuseKeyring,
  serializeKeyring,
} from './master-keys.ts';
import { isSplitKeyring, parseSplitKeyring } from './split-keyring.ts';

/** Where the lines of a keyring are kept: a file, as they are or encrypted. */
export interface KeyringPlace {
  /** For messages. */
  readonly path: string;
  /** The lines. The caller wipes them. @throws CofferError `configuration` that says what to do. */
  read(): Promise<Buffer>;
  /**
   * Puts other lines in their place in one step: whoever reads, also after a kill, finds all of the old ones
   * or all of the new. Borrows `content`. @throws CofferError `configuration`.
   */
  replace(content: Uint8Array): Promise<void>;
}

export const FILE_BYTES_MAX = 64 * 1024;

/** The keyring file at a path, in clear, which only its owner may read or write. */
export function keyringFileAt(path: string): KeyringPlace {
  return {
    path,
    read: async () => {
      const content = await readPrivately(path);
      if (isSplitKeyring(content)) throw refuseKeyring(path, 'is split: only its shares open it');
      return content;
    },
    replace: async (content) => await replaceFile(path, content),
  };
}

/**
 * Reads the keyring of a place.
 *
 * @throws CofferError `configuration` that names the file, the line and what to do, never the line's content.
 */
export async function readKeyring(place: KeyringPlace): Promise<MasterKeys> {
  return await readParsed(place, parseKeyring);
}

/** `readKeyring` of a file in clear. */
export async function readKeyringFile(path: string): Promise<MasterKeys> {
  return await readKeyring(keyringFileAt(path));
}

/** The installation id of a keyring file; its keys are wiped. @throws CofferError `configuration`. */
export async function readInstallationId(path: string): Promise<Uint8Array> {
  const content = await readPrivately(path);
  if (isSplitKeyring(content)) return parseSplitKeyring(path, content).installationId;
  const place = { ...keyringFileAt(path), read: async () => content };
  const { installationId, keys } = await readParsed(place, parseLines);
  wipe(...keys.values());
  return installationId;
}

/**
 * Changes the lines of a keyring. What `change` makes must be a keyring, or nothing is written.
 *
 * @throws CofferError `configuration`.
 */
export async function changeKeyring(
  place: KeyringPlace,
  change: (content: Uint8Array) => Buffer,
): Promise<void> {
  const content = await place.read();
  let changed: Buffer | undefined;
  try {
    changed = change(content);
    const { keys } = parseKeyring(place.path, changed);
    wipe(...keys.values());
    if (changed.length >= FILE_BYTES_MAX) {
      throw refuseKeyring(
        place.path,
        'would be larger than a keyring can be: take out comments. It is as it was',
      );
    }
    await place.replace(changed);
  } finally {
    wipe(content, ...(changed === undefined ? [] : [changed]));
  }
}

/**
 * Writes a new keyring with one random master key, or for null none, of a new installation or the one given,
 * mode 0600, and syncs it to the disk. It is there whole or not at all, wherever the process is killed.
 *
 * @throws CofferError `configuration` when the file exists: a keyring is never overwritten; or for an id that
 * is none.
 */
export async function createKeyringFile(
  path: string,
  masterKeyId: string | null,
  installationId: Uint8Array = randomBytes(INSTALLATION_BYTES),
): Promise<void> {
  const content = newKeyring(path, masterKeyId, installationId);
  try {
    await createFile(path, content);
  } finally {
    wipe(content);
  }
}

/** The lines of a keyring with one random master key, or for null none. The caller wipes them. */
export function newKeyring(path: string, masterKeyId: string | null, installationId: Uint8Array): Buffer {
  if (masterKeyId !== null && !isMasterKeyId(masterKeyId))
    throw refuseKeyring(path, `cannot be made: ${ID_RULE}`);
  const keys = new Map<string, Uint8Array>();
  if (masterKeyId !== null) keys.set(masterKeyId, randomBytes(KEY_BYTES));
  try {
    return serializeKeyring({ installationId, activeId: masterKeyId ?? undefined, keys });
  } finally {
    wipe(...keys.values());
  }
}

/**
 * Writes a keyring's file. `whenWritten` runs when it is on the disk and has not got its name yet.
 *
 * @throws CofferError `configuration` when the file exists.
 */
export async function createFile(
  path: string,
  content: Uint8Array,
  whenWritten: () => Promise<void> = async () => {},
): Promise<void> {
  const unfinished = `${path}.${randomBytes(6).toString('hex')}`;
  const cannot = (cause: unknown): CofferError => {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === 'EEXIST' ? 'exists already' : `cannot be made (${code ?? 'unknown'})`;
    return refuseKeyring(path, `${why}. A keyring is never overwritten`);
  };
  try {
    await writeNew(unfinished, content).catch((cause: unknown) => {
      throw cannot(cause);
    });
    await whenWritten();
    // Not a rename: that would overwrite.
    await link(unfinished, path).catch((cause: unknown) => {
      throw cannot(cause);
    });
  } finally {
    await rm(unfinished, { force: true });
  }
  await syncFolder(path);
}

async function readParsed<T>(
  place: KeyringPlace,
  parse: (path: string, content: Uint8Array) => T,
): Promise<T> {
  const content = await place.read();
  try {
    return parse(place.path, content);
  } finally {
    wipe(content);
  }
}

/** The bytes of a keyring's file, whatever their form. The caller wipes them. */
export async function readPrivately(path: string): Promise<Buffer> {
  const file = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code ?? 'unknown'})`;
    throw refuseKeyring(path, `${why}. Make one with: coffer keyring create ${path}`);
  });
  const buffer = Buffer.alloc(FILE_BYTES_MAX);
  try {
    await requirePrivate(path, file);
    const { bytesRead } = await file.read(buffer, 0, FILE_BYTES_MAX, 0);
    if (bytesRead === FILE_BYTES_MAX) throw refuseKeyring(path, 'is larger than a keyring can be');
    return Buffer.from(buffer.subarray(0, bytesRead));
  } finally {
    wipe(buffer);
    await file.close();
  }
}

async function requirePrivate(path: string, file: FileHandle): Promise<void> {
  const status = await file.stat();
  if (!status.isFile()) throw refuseKeyring(path, 'is not a regular file');
  if ((status.mode & 0o077) !== 0) throw refuseKeyring(path, `can be read by others. Run: chmod 600 ${path}`);
}

/**
 * Puts other bytes in the place of a keyring's file, in one step. Its owner and mode stay: a command of
 * root's must not take a keyring away from the server's user. `whenWritten` runs when the bytes are on the
 * disk and the old ones are still in place.
 *
 * @throws CofferError `configuration`.
 */
export async function replaceFile(
  path: string,
  content: Uint8Array,
  whenWritten: () => Promise<void> = async () => {},
): Promise<void> {
  const cannot = (cause: unknown): CofferError => {
    const { code } = cause as NodeJS.ErrnoException;
    return refuseKeyring(path, `cannot be changed (${code ?? 'unknown'}). It is as it was`);
  };
  const place = await realpath(path).catch((cause: unknown) => {
    throw cannot(cause);
  });
  const unfinished = `${place}.${randomBytes(6).toString('hex')}`;
  try {
    await writeBeside(place, unfinished, content).catch((cause: unknown) => {
      throw cannot(cause);
    });
    await whenWritten();
    await rename(unfinished, place).catch((cause: unknown) => {
      throw cannot(cause);
    });
  } finally {
    await rm(unfinished, { force: true });
  }
  await syncFolder(place);
}

async function writeBeside(place: string, unfinished: string, content: Uint8Array): Promise<void> {
  const { mode, uid, gid } = await stat(place);
  await writeNew(unfinished, content, async (file) => {
    const made = await file.stat();
    if (made.uid !== uid || made.gid !== gid) await file.chown(uid, gid);
    await file.chmod(mode & 0o777);
  });
}

async function writeNew(
  path: string,
  content: Uint8Array,
  prepare: (file: FileHandle) => Promise<void> = async () => {},
): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await prepare(file);
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
