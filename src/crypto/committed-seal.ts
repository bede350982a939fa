import { randomBytes, timingSafeEqual } from 'node:crypto';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { CofferError } from '../errors.ts';
import { hkdf, KEY_BYTES, requireKey, SUITES, wipe } from './envelope.ts';

const NONCE_BYTES = 24;
const COMMITMENT_BYTES = 32;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + NONCE_BYTES + COMMITMENT_BYTES;
const LABEL = Buffer.from('coffer:keyring-key-and-commitment', 'ascii');

/**
 * Encrypts a keyring with XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) under a key derived from `key` by
 * HKDF-SHA-256 (RFC 5869), with a commitment to `key`, bound to `context`. Borrows what it is given; wipes
 * what it derives.
 */
export function sealCommitted(key: Uint8Array, content: Uint8Array, context: Uint8Array): Uint8Array {
  const derived = derive(key);
  try {
    const nonce = randomBytes(NONCE_BYTES);
    const sealed = xchacha20poly1305(derived.key, nonce, context).encrypt(content);
    return Buffer.concat([Uint8Array.of(SUITES.sharedKeyring), nonce, derived.commitment, sealed]);
  } finally {
    wipe(derived.key);
  }
}

/**
 * Opens what `sealCommitted` made for the same key and context. The commitment is compared, in constant time,
 * before any byte is decrypted. The caller owns the result and wipes it.
 *
 * @throws CofferError `integrity_violation`, whatever was wrong.
 */
export function openCommitted(key: Uint8Array, sealed: Uint8Array, context: Uint8Array): Uint8Array {
  requireSuite(sealed);
  const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
  const derived = derive(key);
  try {
    if (!timingSafeEqual(derived.commitment, sealed.subarray(1 + NONCE_BYTES, HEAD_BYTES))) throw violated();
    return xchacha20poly1305(derived.key, nonce, context).decrypt(sealed.subarray(HEAD_BYTES));
  } catch (cause) {
    throw cause instanceof CofferError ? cause : violated();
  } finally {
    wipe(derived.key);
  }
}

/** @throws CofferError `integrity_violation` for anything that `sealCommitted` cannot have made. */
export function requireSuite(sealed: Uint8Array): void {
  if (sealed.length < HEAD_BYTES + TAG_BYTES || sealed[0] !== SUITES.sharedKeyring) throw violated();
}

function derive(key: Uint8Array): { key: Uint8Array; commitment: Uint8Array } {
  requireKey(key);
  const okm = hkdf(key, LABEL, KEY_BYTES + COMMITMENT_BYTES);
  return { key: okm.subarray(0, KEY_BYTES), commitment: okm.subarray(KEY_BYTES) };
}

function violated(): CofferError {
  return new CofferError('integrity_violation', 'Integrity Violation');
}
