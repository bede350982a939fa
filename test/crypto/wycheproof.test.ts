import { createPublicKey, verify } from 'node:crypto';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { describe, expect, it } from 'vitest';
import { decryptGcm, encryptGcm } from '../../src/crypto/aes-gcm.ts';
import { SUITES, WRAPPED_KEY_BYTES, deriveKey, hkdf, unwrapKey } from '../../src/crypto/envelope.ts';
import { hmacSha256 } from '../../src/crypto/row-seal.ts';
import { fromHex, readVectors } from '../vectors/read-vectors.ts';
import { expectViolation } from './refusal.ts';
import * as reference from './reference.ts';

interface Aead {
  tcId: number;
  key: string;
  iv: string;
  aad: string;
  msg: string;
  ct: string;
  tag: string;
  result: 'valid' | 'invalid';
}

const read = <T>(name: string): T[] => readVectors<{ tests: T[] }>(`wycheproof/${name}.json`).tests;

describe("Wycheproof's AES-256-GCM", () => {
  it.each(read<Aead>('aes_gcm'))('test $tcId is $result', ({ key, iv, aad, msg, ct, tag, result }) => {
    const open = (): Buffer => decryptGcm(fromHex(key), fromHex(iv), fromHex(ct), fromHex(tag), fromHex(aad));
    if (result === 'invalid') {
      expect(open).toThrow();
      return;
    }
    expect(open().toString('hex')).toBe(msg);
    const sealed = encryptGcm(fromHex(key), fromHex(iv), fromHex(msg), fromHex(aad));
    expect([sealed.ciphertext.toString('hex'), sealed.tag.toString('hex')]).toEqual([ct, tag]);
  });
});

describe("Wycheproof's XChaCha20-Poly1305", () => {
  it.each(read<Aead>('xchacha20_poly1305'))(
    'test $tcId is $result',
    ({ key, iv, aad, msg, ct, tag, result }) => {
      const stored = Buffer.concat([
        Buffer.from([SUITES.wrappedKey]),
        fromHex(iv),
        fromHex(ct),
        fromHex(tag),
      ]);
      // A stored key has one length, so only messages of 32 bytes are keys; the others go to the function
      // beneath.
      if (result === 'valid' && stored.length === WRAPPED_KEY_BYTES) {
        expect(Buffer.from(unwrapKey(fromHex(key), stored, fromHex(aad))).toString('hex')).toBe(msg);
        const rewrapped = reference.wrapKey(fromHex(key), fromHex(iv), fromHex(msg), fromHex(aad));
        expect(rewrapped.toString('hex')).toBe(stored.toString('hex'));
      } else expectViolation(() => unwrapKey(fromHex(key), stored, fromHex(aad)));
      const open = (): Uint8Array =>
        xchacha20poly1305(fromHex(key), fromHex(iv), fromHex(aad)).decrypt(fromHex(ct + tag));
      if (result === 'invalid') expect(open).toThrow();
      else expect(Buffer.from(open()).toString('hex')).toBe(msg);
    },
  );
});

describe("Wycheproof's HMAC-SHA-256", () => {
  it.each(read<{ tcId: number; key: string; msg: string; tag: string; result: string }>('hmac_sha256'))(
    'test $tcId is $result',
    ({ key, msg, tag, result }) => {
      const half = fromHex(msg).length >> 1;
      const mac = hmacSha256(fromHex(key), fromHex(msg).subarray(0, half), fromHex(msg).subarray(half));
      expect(mac.toString('hex').startsWith(tag)).toBe(result === 'valid');
    },
  );
});

describe("Wycheproof's HKDF-SHA-256", () => {
  it.each(read<{ tcId: number; ikm: string; info: string; size: number; okm: string }>('hkdf_sha256'))(
    'test $tcId gives its $size bytes',
    ({ ikm, info, size, okm }) => {
      expect(Buffer.from(hkdf(fromHex(ikm), fromHex(info), size)).toString('hex')).toBe(okm);
    },
  );

  it('is what deriveKey calls', () => {
    const key = Buffer.alloc(32, 1);
    expect(deriveKey(key, 'rows')).toEqual(hkdf(key, Buffer.from('coffer:rows'), 32));
  });
});

describe("Wycheproof's Ed25519", () => {
  it.each(read<{ tcId: number; publicKey: string; msg: string; sig: string; result: string }>('ed25519'))(
    'test $tcId is $result',
    ({ publicKey, msg, sig, result }) => {
      const key = createPublicKey({
        key: { kty: 'OKP', crv: 'Ed25519', x: fromHex(publicKey).toString('base64url') },
        format: 'jwk',
      });
      expect(verify(null, fromHex(msg), key, fromHex(sig))).toBe(result === 'valid');
    },
  );
});
