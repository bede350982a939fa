import { randomBytes } from 'node:crypto';
import { type FileHandle, link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KEY_BYTES, wipe } from '../crypto/envelope.ts';
import { CofferError } from '../errors.ts';

/** What a keyring file holds. The keys are bytes and never a string; whoever holds the record wipes them. */
export interface MasterKeys {
  /** 128 random bits that every sealed message begins with. */
  installationId: Uint8Array;
  activeId: string;
  keys: Map<string, Uint8Array>;
}

const INSTALLATION_BYTES = 16;
const FILE_BYTES_MAX = 64 * 1024;
const ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const ID_RULE = 'a key id is 1 to 64 letters, digits, dots, dashes or underscores';

/**
 * Reads a keyring file, which only its owner may read or write.
 *
 * @throws CofferError `configuration` that names the file, the line and what to do, never the line's content.
 */
export async function readKeyringFile(path: string): Promise<MasterKeys> {
  return await readParsed(path, parseKeyring);
}

async function readParsed<T>(path: string, parse: (path: string, content: Uint8Array) => T): Promise<T> {
  const file = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code ?? 'unknown'})`;
    throw refuse(path, `${why}. Make one with: coffer keyring create ${path}`);
  });
  const buffer = Buffer.alloc(FILE_BYTES_MAX);
  try {
    await requirePrivate(path, file);
    const { bytesRead } = await file.read(buffer, 0, FILE_BYTES_MAX, 0);
    if (bytesRead === FILE_BYTES_MAX) throw refuse(path, 'is larger than a keyring can be');
    return parse(path, buffer.subarray(0, bytesRead));
  } finally {
    wipe(buffer);
    await file.close();
  }
}

/** The installation id of a keyring file; its keys are wiped. @throws CofferError `configuration`. */
export async function readInstallationId(path: string): Promise<Uint8Array> {
  const { installationId, keys } = await readParsed(path, parseLines);
  wipe(...keys.values());
  return installationId;
}

async function requirePrivate(path: string, file: FileHandle): Promise<void> {
  const status = await file.stat();
  if (!status.isFile()) throw refuse(path, 'is not a regular file');
  if ((status.mode & 0o077) !== 0) throw refuse(path, `can be read by others. Run: chmod 600 ${path}`);
}

/**
 * Parses the lines `installation HEX` and `key ID HEX [active]`; `#` begins a comment. Leaves `content` to
 * its owner.
 */
export function parseKeyring(path: string, content: Uint8Array): MasterKeys {
  const { activeId, ...parsed } = parseLines(path, content);
  if (activeId === undefined) throw refuse(path, "has no key that is 'active'");
  return { ...parsed, activeId };
}

/** A file without a key is one of an installation whose master keys are elsewhere. */
function parseLines(
  path: string,
  content: Uint8Array,
): Omit<MasterKeys, 'activeId'> & { activeId: string | undefined } {
  let installationId: Uint8Array | undefined;
  let activeId: string | undefined;
  const keys = new Map<string, Uint8Array>();
  for (const [index, line] of splitLines(content).entries()) {
    const bad = (why: string): CofferError => refuse(path, `line ${index + 1}: ${why}`);
    const [word, first, second, third, ...rest] = splitWords(line);
    if (word === undefined || word[0] === 0x23) continue;
    const keyword = Buffer.from(word).toString('latin1');
    if (keyword === 'installation') {
      if (installationId !== undefined || second !== undefined) throw bad('one installation id, once');
      installationId = decodeHex(first, INSTALLATION_BYTES) ?? undefined;
      if (installationId === undefined)
        throw bad('an installation id is 32 hexadecimal digits, not all zero');
    } else if (keyword === 'key') {
      const id = Buffer.from(first ?? []).toString('latin1');
      if (!ID_PATTERN.test(id)) throw bad(ID_RULE);
      if (keys.has(id)) throw bad('this key id is taken already');
      const key = decodeHex(second, KEY_BYTES);
      if (key === null) throw bad('a key is 64 hexadecimal digits, not all zero');
      keys.set(id, key);
      const flag = third === undefined ? '' : Buffer.from(third).toString('latin1');
      if (rest.length > 0 || !['', 'active'].includes(flag))
        throw bad("after the key only the word 'active' may stand");
      if (flag === 'active' && activeId !== undefined) throw bad('one key can be active');
      if (flag === 'active') activeId = id;
    } else throw bad("a line begins with 'installation', 'key' or '#'");
  }
  if (installationId === undefined) throw refuse(path, "has no line 'installation …'");
  return { installationId, activeId, keys };
}

/** The day of its making tells a key from the ones that follow it. */
export function nameMasterKey(now: Date): string {
  return `mk-${now.toISOString().slice(0, 10)}`;
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
  if (masterKeyId !== null && !ID_PATTERN.test(masterKeyId)) throw refuse(path, `cannot be made: ${ID_RULE}`);
  const unfinished = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await writeKeyring(unfinished, masterKeyId, installationId);
    // Not a rename: that would overwrite.
    await link(unfinished, path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === 'EEXIST' ? 'exists already' : `cannot be made (${code ?? 'unknown'})`;
    throw refuse(path, `${why}. A keyring is never overwritten`);
  } finally {
    await rm(unfinished, { force: true });
  }
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function writeKeyring(
  path: string,
  masterKeyId: string | null,
  installationId: Uint8Array,
): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  const key = randomBytes(KEY_BYTES);
  const digits = encodeHex(key);
  const keyLine =
    masterKeyId === null ? [] : [Buffer.from(`key ${masterKeyId} `), digits, Buffer.from(' active\n')];
  const content = Buffer.concat([
    Buffer.from(
      '# Coffer keyring. Whoever loses it loses every secret; keep a copy away from the database.\n',
    ),
    Buffer.from('installation '),
    encodeHex(installationId),
    Buffer.from('\n'),
    ...keyLine,
  ]);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    wipe(key, digits, content);
    await file.close();
  }
}

function splitLines(content: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  let start = 0;
  for (let end = 0; end <= content.length; end += 1) {
    if (end < content.length && content[end] !== 0x0a) continue;
    lines.push(content.subarray(start, end));
    start = end + 1;
  }
  return lines;
}

function splitWords(line: Uint8Array): Uint8Array[] {
  const words: Uint8Array[] = [];
  let start = -1;
  for (let at = 0; at <= line.length; at += 1) {
    const blank = at === line.length || line[at] === 0x20 || line[at] === 0x09 || line[at] === 0x0d;
    if (!blank && start < 0) start = at;
    if (blank && start >= 0) {
      words.push(line.subarray(start, at));
      start = -1;
    }
  }
  return words;
}

/** Bytes to bytes, so that a key is never a string. Null for another length, another digit, or all zeros. */
function decodeHex(digits: Uint8Array | undefined, length: number): Uint8Array | null {
  if (digits?.length !== 2 * length) return null;
  const out = new Uint8Array(length);
  for (let at = 0; at < length; at += 1) {
    const high = hexValue(digits[2 * at] as number);
    const low = hexValue(digits[2 * at + 1] as number);
    if (high < 0 || low < 0) return null;
    out[at] = high * 16 + low;
  }
  return out.every((byte) => byte === 0) ? null : out;
}

function hexValue(digit: number): number {
  if (digit >= 0x30 && digit <= 0x39) return digit - 0x30;
  const lower = digit | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function encodeHex(value: Uint8Array): Buffer {
  const digits = Buffer.from('0123456789abcdef', 'ascii');
  const out = Buffer.alloc(2 * value.length);
  for (const [at, byte] of value.entries()) {
    out[2 * at] = digits[byte >> 4] as number;
    out[2 * at + 1] = digits[byte & 15] as number;
  }
  return out;
}

function refuse(path: string, why: string): CofferError {
  return new CofferError('configuration', `The keyring ${path} ${why}`);
}
