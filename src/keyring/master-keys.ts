import { KEY_BYTES, wipe } from '../crypto/envelope.ts';
import { CofferError } from '../errors.ts';

/** What a keyring file holds. The keys are bytes and never a string; whoever holds the record wipes them. */
export interface MasterKeys {
  /** 128 random bits that every sealed message begins with. */
  installationId: Uint8Array;
  activeId: string;
  keys: Map<string, Uint8Array>;
}

/** What the lines say: without an active key where an installation's master keys are elsewhere. */
type Lines = Omit<MasterKeys, 'activeId'> & { activeId: string | undefined };

export const INSTALLATION_BYTES = 16;
const ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
export const ID_RULE = 'a key id is 1 to 64 letters, digits, dots, dashes or underscores';

/**
 * Parses the lines `installation HEX` and `key ID HEX [active]`; `#` begins a comment. Leaves `content` to
 * its owner.
 */
export function parseKeyring(path: string, content: Uint8Array): MasterKeys {
  const { activeId, ...parsed } = parseLines(path, content);
  if (activeId === undefined) throw refuseKeyring(path, "has no key that is 'active'");
  return { ...parsed, activeId };
}

/** As `parseKeyring`, for lines that need not have a key. */
export function parseLines(path: string, content: Uint8Array): Lines {
  let installationId: Uint8Array | undefined;
  let activeId: string | undefined;
  const keys = new Map<string, Uint8Array>();
  for (const [index, line] of splitLines(content).entries()) {
    const bad = (why: string): CofferError => refuseKeyring(path, `line ${index + 1}: ${why}`);
    const [word, first, second, third, ...rest] = splitWords(line);
    if (word === undefined || word[0] === 0x23) continue;
    const keyword = asText(word);
    if (keyword === 'installation') {
      if (installationId !== undefined || second !== undefined) throw bad('one installation id, once');
      installationId = decodeHex(first, INSTALLATION_BYTES) ?? undefined;
      if (installationId === undefined)
        throw bad('an installation id is 32 hexadecimal digits, not all zero');
    } else if (keyword === 'key') {
      const id = asText(first);
      if (!isMasterKeyId(id)) throw bad(ID_RULE);
      if (keys.has(id)) throw bad('this key id is taken already');
      const key = decodeHex(second, KEY_BYTES);
      if (key === null) throw bad('a key is 64 hexadecimal digits, not all zero');
      keys.set(id, key);
      const flag = asText(third);
      if (rest.length > 0 || !['', 'active'].includes(flag))
        throw bad("after the key only the word 'active' may stand");
      if (flag === 'active' && activeId !== undefined) throw bad('one key can be active');
      if (flag === 'active') activeId = id;
    } else throw bad("a line begins with 'installation', 'key' or '#'");
  }
  if (installationId === undefined) throw refuseKeyring(path, "has no line 'installation …'");
  return { installationId, activeId, keys };
}

export function isMasterKeyId(text: string): boolean {
  return ID_PATTERN.test(text);
}

/** The day of its making tells a key from the ones that follow it. */
export function nameMasterKey(now: Date): string {
  return `mk-${now.toISOString().slice(0, 10)}`;
}

/**
 * The lines of a keyring; without an active key, those of an installation whose master keys are elsewhere.
 * The caller wipes them.
 */
export function serializeKeyring({ installationId, activeId, keys }: Lines): Buffer {
  const head = '# Coffer keyring. Whoever loses it loses every secret; keep a copy away from the database.\n';
  const installation = encodeHex(installationId);
  const lines = [...keys].map(([id, key]) => keyLine(id, key, id === activeId));
  const content = Buffer.concat([
    Buffer.from(`${head}installation `),
    installation,
    Buffer.from('\n'),
    ...lines,
  ]);
  wipe(...lines);
  return content;
}

/** The lines of a keyring and one more key, which is not the active one. The caller wipes them. */
export function withKey(content: Uint8Array, id: string, key: Uint8Array): Buffer {
  const line = keyLine(id, key, false);
  const end = content.length === 0 || content.at(-1) === 0x0a ? '' : '\n';
  const changed = Buffer.concat([content, Buffer.from(end), line]);
  wipe(line);
  return changed;
}

/**
 * The lines of a keyring without a key; `activeId` becomes the active one where the key was. All other lines
 * stay as they are. The caller wipes them.
 */
export function withoutKey(content: Uint8Array, id: string, activeId: string): Buffer {
  const lines = splitLines(content).map((line) => ({ line, words: splitWords(line) }));
  const isKey = (words: readonly Uint8Array[], of: string): boolean =>
    asText(words[0]) === 'key' && asText(words[1]) === of;
  const kept = lines.filter(({ words }) => !isKey(words, id));
  const hasActive = kept.some(({ words }) => asText(words[0]) === 'key' && asText(words[3]) === 'active');
  const space = Buffer.from(' ');
  const parts = kept.flatMap(({ line, words }, index) => {
    const end = index === kept.length - 1 ? [] : [Buffer.from('\n')];
    if (hasActive || !isKey(words, activeId)) return [line, ...end];
    return [...words.slice(0, 3).flatMap((word) => [word, space]), Buffer.from('active'), ...end];
  });
  return Buffer.concat(parts);
}

function keyLine(id: string, key: Uint8Array, isActive: boolean): Buffer {
  const digits = encodeHex(key);
  const line = Buffer.concat([Buffer.from(`key ${id} `), digits, Buffer.from(isActive ? ' active\n' : '\n')]);
  wipe(digits);
  return line;
}

function asText(word: Uint8Array | undefined): string {
  return Buffer.from(word ?? []).toString('latin1');
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

export function refuseKeyring(path: string, why: string): CofferError {
  return new CofferError('configuration', `The keyring ${path} ${why}`);
}
