import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { bytes, encodeFields, text } from '../../crypto/encoding.ts';

/** Of an application credential's secret, and of the code that is redeemed for one. */
export type SecretKind = 'cofa' | 'cofr';

const SECRET_BYTES = 32;
const FORM = /^(cof[ar]_[A-Za-z0-9_-]{43})([A-Za-z0-9_-]{6})$/;

/**
 * 256 random bits as `cofa_` or `cofr_`, 43 characters of base64url and a checksum of 6 (FORMAT.md §8), so
 * that scanners find what leaked, and a slip of the hand is told from a secret that is not known.
 */
export function makeSecret(kind: SecretKind): string {
  const body = `${kind}_${randomBytes(SECRET_BYTES).toString('base64url')}`;
  return `${body}${checksum(body)}`;
}

/** Whether the text is one that `makeSecret` of that kind may have made. */
export function isMadeSecret(kind: SecretKind, secret: string): boolean {
  const [, body = '', sum] = FORM.exec(secret) ?? [];
  return body.startsWith(kind) && checksum(body) === sum;
}

function checksum(body: string): string {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return sum.toString('base64url');
}

/** SHA-256 over what it is for, the credential's id and the secret: of no use for another credential. */
export function hashSecret(credentialId: string, secret: string): Buffer {
  return digest('coffer:application-credential', credentialId, secret);
}

/** The same for a redemption code, by which its row is found. */
export function hashCode(code: string): Buffer {
  return digest('coffer:redemption', '', code);
}

function digest(domain: string, id: string, secret: string): Buffer {
  const fields = encodeFields([text(domain), text(id), bytes(Buffer.from(secret, 'utf8'))]);
  return createHash('sha256').update(fields).digest();
}

/** In the same time for every secret, and for a credential that is not there (null). */
export function matchesSecret(hash: Uint8Array | null, credentialId: string, secret: string): boolean {
  const actual = hashSecret(credentialId, secret);
  const expected = hash?.length === actual.length ? hash : Buffer.alloc(actual.length);
  return timingSafeEqual(actual, expected) && hash !== null;
}
