import { randomBytes } from 'node:crypto';
import { openCommitted, requireSuite, sealCommitted } from '../crypto/committed-seal.ts';
import { bytes, encodeMessage, integer } from '../crypto/encoding.ts';
import { generateKey, SUITES, wipe } from '../crypto/envelope.ts';
import { POINTS_MAX, splitKey } from '../crypto/secret-sharing.ts';
import { CofferError } from '../errors.ts';
import { SET_ID_BYTES, type Share } from './shares.ts';

/** How a keyring is split: any `threshold` of `count` shares open it. */
export interface Split {
  threshold: number;
  count: number;
}

/** A keyring file that only its shares open (FORMAT.md §9). Nothing in the record is secret. */
export interface SplitKeyring extends Split {
  path: string;
  installationId: Uint8Array;
  /** Tells the shares of one split from those of another. */
  setId: Uint8Array;
  sealed: Uint8Array;
}

/** The keys that open split keyrings, by the ids of their splits. */
export type WrappingKeys = ReadonlyMap<string, Uint8Array>;

const WORD = 'coffer-split-keyring';
const VERSION = 1;
const PATTERN =
  /^installation ([0-9a-f]{32})\nset ([0-9a-f]{16})\nshares (\d{1,3})\/(\d{1,3})\nsealed ((?:[0-9a-f]{2})+)\n$/;

/** `K/N`, as 3/5. @throws CofferError `bad_request`. */
export function parseSplit(written: string): Split {
  const [, k, n] = /^([1-9]\d{0,2})\/([1-9]\d{0,2})$/.exec(written) ?? [];
  const split = { threshold: Number(k), count: Number(n) };
  if (isSplit(split)) return split;
  throw new CofferError(
    'bad_request',
    `a split is K/N, as 3/5: any K of N shares open the keyring, with 2 ≤ K ≤ N ≤ ${POINTS_MAX}`,
  );
}

function isSplit({ threshold, count }: Split): boolean {
  return threshold >= 2 && threshold <= count && count <= POINTS_MAX;
}

/** By its first bytes, which no keyring in clear can have. */
export function isSplitKeyring(content: Uint8Array): boolean {
  return Buffer.from(content.subarray(0, WORD.length + 1)).toString('latin1') === `${WORD} `;
}

/** @throws CofferError `configuration` for anything that `formatSplitKeyring` cannot have written. */
export function parseSplitKeyring(path: string, content: Uint8Array): SplitKeyring {
  const written = Buffer.from(content).toString('latin1');
  const [, version = '', rest = ''] = /^\S+ (\S*)\n([^]*)$/.exec(written) ?? [];
  if (version !== String(VERSION)) throw refuse(path, `is split in a way that is not known here`);
  const [, installation = '', set = '', k = '', n = '', digits = ''] = PATTERN.exec(rest) ?? [];
  const keyring = {
    path,
    installationId: Buffer.from(installation, 'hex'),
    setId: Buffer.from(set, 'hex'),
    threshold: Number(k),
    count: Number(n),
    sealed: Buffer.from(digits, 'hex'),
  };
  if (!isSplit(keyring) || !formatSplitKeyring(keyring).equals(content)) throw damaged(path);
  try {
    requireSuite(keyring.sealed);
  } catch {
    throw refuse(path, 'is sealed in a way that is not known here');
  }
  return keyring;
}

/** The content of the file. */
export function formatSplitKeyring({
  installationId,
  setId,
  threshold,
  count,
  sealed,
}: SplitKeyring): Buffer {
  const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');
  const lines = [
    `${WORD} ${VERSION}`,
    `installation ${hex(installationId)}`,
    `set ${hex(setId)}`,
    `shares ${threshold}/${count}`,
    `sealed ${hex(sealed)}`,
  ];
  return Buffer.from(lines.map((line) => `${line}\n`).join(''), 'ascii');
}

/**
 * Encrypts a keyring's content under a new random key, which is split into `count` shares. Borrows `content`;
 * wipes the key. The caller owns the shares and wipes them.
 */
export function splitKeyring(
  { path, installationId }: Pick<SplitKeyring, 'path' | 'installationId'>,
  { threshold, count }: Split,
  content: Uint8Array,
): { keyring: SplitKeyring; shares: Share[] } {
  const setId = randomBytes(SET_ID_BYTES);
  const key = generateKey();
  try {
    const points = splitKey(key, threshold, count);
    const unsealed = { path, installationId, setId, threshold, count, sealed: new Uint8Array() };
    const keyring = resealKeyring(unsealed, key, content);
    return { keyring, shares: points.map((point) => ({ ...point, setId })) };
  } finally {
    wipe(key);
  }
}

/** The same split, under the same key, with another content. Borrows key and content. */
export function resealKeyring(keyring: SplitKeyring, key: Uint8Array, content: Uint8Array): SplitKeyring {
  return { ...keyring, sealed: sealCommitted(key, content, contextOf(keyring)) };
}

/**
 * The content of a split keyring. Borrows the key. The caller owns the result and wipes it.
 *
 * @throws CofferError `integrity_violation` for another key, or a file that was altered.
 */
export function openSplitKeyring(keyring: SplitKeyring, key: Uint8Array): Uint8Array {
  return openCommitted(key, keyring.sealed, contextOf(keyring));
}

export function nameOfSet(setId: Uint8Array): string {
  return Buffer.from(setId).toString('hex');
}

function contextOf({ installationId, setId, threshold, count }: SplitKeyring): Uint8Array {
  const split = [integer(BigInt(threshold)), integer(BigInt(count))];
  const fields = [integer(BigInt(SUITES.sharedKeyring)), bytes(setId), ...split];
  return encodeMessage('split-keyring', installationId, fields);
}

function damaged(path: string): CofferError {
  return refuse(path, 'is a split keyring that was cut or altered');
}

function refuse(path: string, why: string): CofferError {
  return new CofferError('configuration', `The keyring ${path} ${why}`);
}
