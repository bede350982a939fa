import { createHmac, randomBytes, randomFillSync, timingSafeEqual } from 'node:crypto';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { CofferError } from '../errors.ts';
import { GCM_NONCE_BYTES, GCM_TAG_BYTES, decryptGcm, encryptGcm } from './aes-gcm.ts';
import { pad, unpad } from './padding.ts';

export const KEY_BYTES = 32;

/** The closed list of suites: the first byte of every stored format (FORMAT.md §2). */
export const SUITES = {
  payload: 0x01,
  wrappedKey: 0x02,
  rowSeal: 0x03,
  tokenWrappedKey: 0x04,
  tokenKeyReference: 0x05,
  sharedKeyring: 0x06,
} as const;

const COMMITMENT_BYTES = 32;
const XCHACHA_NONCE_BYTES = 24;
const POLY1305_TAG_BYTES = 16;
/** suite ‖ nonce ‖ commitment ‖ tag: the part of a sealed payload that its row's seal covers. */
export const PAYLOAD_HEAD_BYTES = 1 + GCM_NONCE_BYTES + COMMITMENT_BYTES + GCM_TAG_BYTES;
/** suite ‖ nonce ‖ wrapped key ‖ tag. */
export const WRAPPED_KEY_BYTES = 1 + XCHACHA_NONCE_BYTES + KEY_BYTES + POLY1305_TAG_BYTES;
const HASH_BYTES = 32;
const HKDF_BLOCKS_MAX = 255;
/** RFC 5869 §2.2: no salt is as many zeros as the hash has bytes. */
const NO_SALT = Buffer.alloc(HASH_BYTES);
const PAYLOAD_LABEL = Buffer.from('coffer:payload-key-and-commitment', 'ascii');

/** A payload sealed under its own DEK. `head` has PAYLOAD_HEAD_BYTES, `body` the padded payload's length. */
export interface SealedPayload {
  head: Uint8Array;
  body: Uint8Array;
}

/** A fresh key of 256 random bits. The caller owns it and wipes it. */
export function generateKey(): Uint8Array {
  // Filled in place: no second copy, which nobody would wipe.
  return randomFillSync(new Uint8Array(KEY_BYTES));
}

export function wipe(...keys: Uint8Array[]): void {
  for (const key of keys) key.fill(0);
}

/**
 * Encrypts a payload with AES-256-GCM (NIST SP 800-38D) under a key derived from the DEK by HKDF-SHA-256 (RFC
 * 5869), padded, with a commitment to the DEK. The DEK must be fresh: it serves for one payload. Borrows
 * `dek` and `payload`; wipes what it derives.
 */
export function sealPayload(dek: Uint8Array, payload: Uint8Array, context: Uint8Array): SealedPayload {
  const { key, commitment } = deriveFromDek(dek);
  const padded = pad(payload);
  try {
    const nonce = randomBytes(GCM_NONCE_BYTES);
    const { ciphertext, tag } = encryptGcm(key, nonce, padded, context);
    const head = Buffer.concat([Uint8Array.of(SUITES.payload), nonce, commitment, tag]);
    return { head, body: ciphertext };
  } finally {
    wipe(key, padded);
  }
}

/**
 * Decrypts what `sealPayload` made for the same DEK and context. The commitment is compared, in constant
 * time, before any byte is decrypted. The caller owns the result and wipes it; `dek` is borrowed.
 *
 * @throws CofferError `integrity_violation`, whatever was wrong.
 */
export function openPayload(dek: Uint8Array, sealed: SealedPayload, context: Uint8Array): Uint8Array {
  const { head, body } = sealed;
  if (head.length !== PAYLOAD_HEAD_BYTES || head[0] !== SUITES.payload) throw violated();
  const nonce = head.subarray(1, 1 + GCM_NONCE_BYTES);
  const claimed = head.subarray(1 + GCM_NONCE_BYTES, 1 + GCM_NONCE_BYTES + COMMITMENT_BYTES);
  const tag = head.subarray(-GCM_TAG_BYTES);
  const { key, commitment } = deriveFromDek(dek);
  let padded: Buffer | undefined;
  try {
    if (!timingSafeEqual(commitment, claimed)) throw violated();
    padded = decryptGcm(key, nonce, body, tag, context);
    return Uint8Array.from(unpad(padded));
  } catch (cause) {
    throw cause instanceof CofferError ? cause : violated();
  } finally {
    wipe(key);
    if (padded !== undefined) wipe(padded);
  }
}

function deriveFromDek(dek: Uint8Array): { key: Uint8Array; commitment: Uint8Array } {
  requireKey(dek);
  const okm = hkdf(dek, PAYLOAD_LABEL, 2 * KEY_BYTES);
  return { key: okm.subarray(0, KEY_BYTES), commitment: okm.subarray(KEY_BYTES) };
}

/**
 * Derives a key of 256 bits for one purpose by HKDF-SHA-256 (RFC 5869) with the label `coffer:<purpose>`.
 * The caller owns the result and wipes it.
 */
export function deriveKey(key: Uint8Array, purpose: string): Uint8Array {
  requireKey(key);
  return hkdf(key, Buffer.from(`coffer:${purpose}`, 'ascii'), KEY_BYTES);
}

/**
 * HKDF-SHA-256 (RFC 5869 §2) without a salt, on the HMAC of `node:crypto`: half the time of its `hkdfSync`,
 * which makes a key object and a job for each call. The caller owns the result and wipes it.
 *
 * @throws RangeError for more than 255 blocks of 32 bytes.
 */
export function hkdf(secret: Uint8Array, info: Uint8Array, lengthBytes: number): Uint8Array {
  if (lengthBytes > HKDF_BLOCKS_MAX * HASH_BYTES) throw new RangeError('HKDF gives 8,160 bytes at most');
  const pseudorandomKey = createHmac('sha256', NO_SALT).update(secret).digest();
  const output = new Uint8Array(lengthBytes);
  let block = Buffer.alloc(0);
  for (let offset = 0; offset < lengthBytes; offset += HASH_BYTES) {
    const counter = Uint8Array.of(offset / HASH_BYTES + 1);
    const next = createHmac('sha256', pseudorandomKey).update(block).update(info).update(counter).digest();
    output.set(next.subarray(0, lengthBytes - offset), offset);
    wipe(block);
    block = next;
  }
  wipe(pseudorandomKey, block);
  return output;
}

/**
 * Wraps a 256-bit key with XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) under a random 192-bit nonce,
 * bound to `context`. Borrows both keys. The result has WRAPPED_KEY_BYTES.
 */
export function wrapKey(wrappingKey: Uint8Array, key: Uint8Array, context: Uint8Array): Uint8Array {
  requireKey(wrappingKey);
  requireKey(key);
  const nonce = randomBytes(XCHACHA_NONCE_BYTES);
  const sealed = xchacha20poly1305(wrappingKey, nonce, context).encrypt(key);
  return Buffer.concat([Uint8Array.of(SUITES.wrappedKey), nonce, sealed]);
}

/**
 * Opens what `wrapKey` made for the same wrapping key and context. The caller owns the result and wipes it.
 *
 * @throws CofferError `integrity_violation`, whatever was wrong.
 */
export function unwrapKey(wrappingKey: Uint8Array, wrapped: Uint8Array, context: Uint8Array): Uint8Array {
  requireKey(wrappingKey);
  if (wrapped.length !== WRAPPED_KEY_BYTES || wrapped[0] !== SUITES.wrappedKey) throw violated();
  const nonce = wrapped.subarray(1, 1 + XCHACHA_NONCE_BYTES);
  let key: Uint8Array;
  try {
    key = xchacha20poly1305(wrappingKey, nonce, context).decrypt(wrapped.subarray(1 + XCHACHA_NONCE_BYTES));
  } catch {
    throw violated();
  }
  requireKey(key);
  return key;
}

/** @throws CofferError `integrity_violation` for a key of another length, or of zeros: one that was wiped. */
export function requireKey(key: Uint8Array): void {
  if (key.length !== KEY_BYTES || key.every((byte) => byte === 0)) throw violated();
}

function violated(): CofferError {
  return new CofferError('integrity_violation', 'Integrity Violation');
}
