import { createHmac, timingSafeEqual } from 'node:crypto';
import { CofferError } from '../errors.ts';
import { SUITES, requireKey } from './envelope.ts';

const HEADER_BYTES = 3;
const MAC_BYTES = 32;
/** suite (1) ‖ layout (2, big endian) ‖ HMAC-SHA-256 (32). */
export const ROW_SEAL_BYTES = HEADER_BYTES + MAC_BYTES;

/**
 * HMAC-SHA-256 (RFC 2104) over the header and the encoded columns of a row. `key` is the rows key of a
 * project's epoch; `message` is built by `encodeMessage`. Borrows both.
 *
 * @throws CofferError `integrity_violation` for a key of another length, or of zeros: one that was wiped.
 */
export function makeRowSeal(key: Uint8Array, layout: number, message: Uint8Array): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header[0] = SUITES.rowSeal;
  header.writeUInt16BE(layout, 1);
  return Buffer.concat([header, hmacSha256(key, header, message)]);
}

/** HMAC-SHA-256 over the parts joined. @throws CofferError `integrity_violation` for a key that is none. */
export function hmacSha256(key: Uint8Array, ...parts: Uint8Array[]): Buffer {
  requireKey(key);
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** The layout that a seal names. @throws CofferError `integrity_violation` for a seal of another form. */
export function readSealLayout(seal: Uint8Array): number {
  if (seal.length !== ROW_SEAL_BYTES || seal[0] !== SUITES.rowSeal) throw violated();
  return ((seal[1] as number) << 8) | (seal[2] as number);
}

/**
 * @throws CofferError `integrity_violation` unless `seal` is the one that `makeRowSeal` gives for this
 *   message.
 */
export function verifyRowSeal(key: Uint8Array, seal: Uint8Array, message: Uint8Array): void {
  const expected = makeRowSeal(key, readSealLayout(seal), message);
  if (!timingSafeEqual(expected, seal)) throw violated();
}

function violated(): CofferError {
  return new CofferError('integrity_violation', 'Integrity Violation');
}
