import { createHash } from 'node:crypto';
import { bytes, encodeFields, text } from '../crypto/encoding.ts';
import { KEY_BYTES, wipe } from '../crypto/envelope.ts';
import type { KeyPoint } from '../crypto/secret-sharing.ts';
import { CofferError } from '../errors.ts';

/** One share of the key of a split keyring. Whoever holds the record wipes its value. */
export interface Share extends KeyPoint {
  /** Of the keyring's split that it is of. Not secret. */
  setId: Uint8Array;
}

export const SET_ID_BYTES = 8;
const CHECKSUM_BYTES = 4;
const BODY_BYTES = 1 + SET_ID_BYTES + KEY_BYTES;
const PREFIX = 'coffer-share-1-';
/** Crockford's base 32: no letter is taken for a digit, and none for another letter. */
const DIGITS = Buffer.from('0123456789abcdefghjkmnpqrstvwxyz', 'ascii');
const DIGIT_COUNT = ((BODY_BYTES + CHECKSUM_BYTES) * 8) / 5;
const GROUP = 6;

/**
 * A share as people keep it (FORMAT.md §9): `coffer-share-1-` and twelve groups of six digits, in ASCII. The
 * caller owns the bytes and wipes them; `share` is borrowed.
 */
export function formatShare({ number, setId, value }: Share): Buffer {
  const body = Buffer.concat([Uint8Array.of(number), setId, value]);
  const packed = Buffer.concat([body, checksumOf(body)]);
  const out = Buffer.alloc(PREFIX.length + DIGIT_COUNT + DIGIT_COUNT / GROUP - 1, '-');
  out.write(PREFIX, 'ascii');
  for (let at = 0; at < DIGIT_COUNT; at += 1) {
    const bit = at * 5;
    const pair = ((packed[bit >> 3] as number) << 8) | (packed[(bit >> 3) + 1] ?? 0);
    out[PREFIX.length + at + Math.floor(at / GROUP)] = DIGITS[(pair >> (11 - (bit & 7))) & 31] as number;
  }
  wipe(body, packed);
  return out;
}

/**
 * Reads a share, whatever its case, with or without dashes and blanks between its digits. The caller owns the
 * result and wipes it.
 *
 * @throws CofferError `bad_request` that says what is wrong, and shows nothing of the share.
 */
export function parseShare(written: string): Share {
  const compact = written.replace(/\s+/g, '').toLowerCase();
  if (!compact.startsWith(PREFIX)) {
    const isLater = /^coffer-share-\d+-/.test(compact);
    throw new CofferError(
      'bad_request',
      isLater ? 'The share is of a version that is not known here.' : `A share begins with ${PREFIX}`,
    );
  }
  const packed = decodeDigits(compact.slice(PREFIX.length).replaceAll('-', ''));
  if (packed === undefined) throw mistyped();
  try {
    const body = packed.subarray(0, BODY_BYTES);
    const checksum = packed.subarray(BODY_BYTES);
    const number = body[0] as number;
    if (number === 0 || !checksumOf(body).equals(checksum)) throw mistyped();
    const setId = Uint8Array.from(body.subarray(1, 1 + SET_ID_BYTES));
    return { number, setId, value: Uint8Array.from(body.subarray(1 + SET_ID_BYTES)) };
  } finally {
    wipe(packed);
  }
}

function decodeDigits(digits: string): Buffer | undefined {
  if (digits.length !== DIGIT_COUNT) return undefined;
  const packed = Buffer.alloc(BODY_BYTES + CHECKSUM_BYTES);
  for (let at = 0; at < DIGIT_COUNT; at += 1) {
    const digit = DIGITS.indexOf(looksLike(digits.charCodeAt(at)));
    if (digit < 0) {
      wipe(packed);
      return undefined;
    }
    const bit = at * 5;
    const shifted = digit << (11 - (bit & 7));
    packed[bit >> 3] = (packed[bit >> 3] as number) | (shifted >> 8);
    if ((shifted & 0xff) !== 0)
      packed[(bit >> 3) + 1] = (packed[(bit >> 3) + 1] as number) | (shifted & 0xff);
  }
  return packed;
}

/** What was copied by hand: an o for a zero, an i or an l for a one. */
function looksLike(letter: number): number {
  if (letter === 0x6f) return 0x30;
  return letter === 0x69 || letter === 0x6c ? 0x31 : letter;
}

function checksumOf(body: Uint8Array): Buffer {
  const hash = createHash('sha256').update(encodeFields([text('coffer:share'), bytes(body)]));
  return hash.digest().subarray(0, CHECKSUM_BYTES);
}

function mistyped(): CofferError {
  return new CofferError('bad_request', 'The share is mistyped or cut: its checksum does not fit.');
}
