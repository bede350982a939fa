import { createCipheriv, createDecipheriv } from 'node:crypto';

export const GCM_NONCE_BYTES = 12;
export const GCM_TAG_BYTES = 16;

/**
 * AES-256-GCM (NIST SP 800-38D) with a 96-bit nonce and a 128-bit tag. The nonce must be new for this key.
 * Borrows all; `ciphertext` has the length of `plaintext`.
 */
export function encryptGcm(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  context: Uint8Array,
): { ciphertext: Buffer; tag: Buffer } {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: GCM_TAG_BYTES });
  cipher.setAAD(context);
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return { ciphertext, tag: cipher.getAuthTag() };
}

/**
 * Opens what `encryptGcm` made. The caller owns the result and wipes it; bytes that do not authenticate are
 * wiped here.
 *
 * @throws Error of `node:crypto` for another tag, context, nonce, ciphertext or key: `openPayload` gives it
 *   its code.
 */
export function decryptGcm(
  key: Uint8Array,
  nonce: Uint8Array,
  ciphertext: Uint8Array,
  tag: Uint8Array,
  context: Uint8Array,
): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: GCM_TAG_BYTES });
  decipher.setAAD(context);
  decipher.setAuthTag(tag);
  const plaintext = decipher.update(ciphertext);
  try {
    decipher.final();
    return plaintext;
  } catch (error) {
    plaintext.fill(0);
    throw error;
  }
}
