import { CofferError } from '../errors.ts';

const MARKER = 0x80;
const BLOCK_BYTES = 32;
const BLOCKS_END_BYTES = 1024;

/**
 * The stored length of a payload of `length` bytes: room for one marker byte, then multiples of 32 up to 1
 * KiB and PADMÉ above (Nikitin et al., PETS 2019, §4: at most 12 % more, O(log log n) bits of length shown).
 */
export function paddedLength(length: number): number {
  const needed = length + 1;
  if (needed <= BLOCKS_END_BYTES) return Math.ceil(needed / BLOCK_BYTES) * BLOCK_BYTES;
  const exponent = Math.floor(Math.log2(needed));
  const shown = Math.floor(Math.log2(exponent)) + 1;
  const step = 2 ** (exponent - shown);
  return Math.ceil(needed / step) * step;
}

/**
 * Pads by ISO/IEC 7816-4 (0x80, then zeros). The result is a copy that holds plaintext: the caller wipes it.
 */
export function pad(payload: Uint8Array): Buffer {
  const padded = Buffer.alloc(paddedLength(payload.length));
  padded.set(payload);
  padded[payload.length] = MARKER;
  return padded;
}

/**
 * The payload inside a padded one: a view on the same memory, no copy. Its length must be the one that `pad`
 * gives.
 *
 * @throws CofferError `integrity_violation` where the padding is not what `pad` writes.
 */
export function unpad(padded: Uint8Array): Uint8Array {
  const end = padded.findLastIndex((byte) => byte !== 0);
  if (end < 0 || padded[end] !== MARKER || paddedLength(end) !== padded.length) {
    throw new CofferError('integrity_violation', 'Integrity Violation');
  }
  return padded.subarray(0, end);
}
