import { hkdfSync, randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { decryptGcm, encryptGcm } from '../../src/crypto/aes-gcm.ts';
import {
  PAYLOAD_HEAD_BYTES,
  SUITES,
  WRAPPED_KEY_BYTES,
  deriveKey,
  generateKey,
  hkdf,
  openPayload,
  requireKey,
  sealPayload,
  unwrapKey,
  wipe,
  wrapKey,
} from '../../src/crypto/envelope.ts';
import { rounds } from '../harness/rounds.ts';
import { expectViolation, flipBit } from './refusal.ts';
import * as reference from './reference.ts';

const CONTEXT = Buffer.from('coffer:test context');
const KEY = randomBytes(32);
const bytes = (name: string, length: number): Uint8Array => Buffer.alloc(length, name);

/** Keys of other lengths, and the one that a wipe leaves. */
const NO_KEYS: [string, Uint8Array][] = [
  ['no bytes', new Uint8Array(0)],
  ['16 bytes', bytes('k', 16)],
  ['31 bytes', bytes('k', 31)],
  ['33 bytes', bytes('k', 33)],
  ['64 bytes', bytes('k', 64)],
  ['32 zeros', new Uint8Array(32)],
];

describe('generateKey', () => {
  it('gives 256 bits that no other call gives', () => {
    const keys = Array.from({ length: 1_000 }, () => Buffer.from(generateKey()).toString('hex'));
    expect(keys.every((key) => key.length === 64)).toBe(true);
    expect(new Set(keys).size).toBe(1_000);
  });

  it('does not share memory with anything else', () => {
    expect(generateKey().buffer.byteLength).toBe(32);
  });
});

describe('wipe', () => {
  it('leaves zeros in each key', () => {
    const keys = [generateKey(), generateKey()];
    wipe(...keys);
    expect(keys).toEqual([new Uint8Array(32), new Uint8Array(32)]);
  });
});

describe('requireKey', () => {
  it.each(NO_KEYS)('refuses %s', (_, key) => {
    expectViolation(() => requireKey(key));
  });

  it('takes a key with one bit set, wherever it is', () => {
    for (let bit = 0; bit < 256; bit += 1) requireKey(flipBit(new Uint8Array(32), bit));
  });
});

describe('a sealed payload', () => {
  it('opens to what was sealed', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 2_500 }),
        fc.uint8Array({ maxLength: 80 }),
        (payload, context) => {
          const dek = generateKey();
          const sealed = sealPayload(dek, payload, context);
          expect(sealed.head.length).toBe(PAYLOAD_HEAD_BYTES);
          expect(sealed.body.length).toBe(reference.paddedLength(payload.length));
          expect(openPayload(dek, sealed, context)).toEqual(payload);
        },
      ),
      { numRuns: rounds(1_000) },
    );
  });

  it('is one that the reference implementation makes from the same nonce', () => {
    const dek = Buffer.from(generateKey());
    const payload = Buffer.from('a payload');
    const sealed = sealPayload(dek, payload, CONTEXT);
    const expected = reference.sealPayload(dek, Buffer.from(sealed.head.subarray(1, 13)), payload, CONTEXT);
    expect(Buffer.from(sealed.head)).toEqual(expected.head);
    expect(Buffer.from(sealed.body)).toEqual(expected.body);
  });

  it('has another nonce each time', () => {
    const nonces = Array.from({ length: 200 }, () => nonceOf(sealPayload(KEY, bytes('p', 3), CONTEXT).head));
    expect(new Set(nonces).size).toBe(200);
  });

  it('leaves the DEK and the payload to their owner', () => {
    const [dek, payload] = [Buffer.from(KEY), Buffer.from('a payload')];
    openPayload(dek, sealPayload(dek, payload, CONTEXT), CONTEXT);
    expect(dek).toEqual(KEY);
    expect(payload.toString()).toBe('a payload');
  });

  it('opens to bytes of their own memory', () => {
    const opened = openPayload(KEY, sealPayload(KEY, bytes('p', 9), CONTEXT), CONTEXT);
    expect(opened.buffer.byteLength).toBe(9);
  });

  const sealed = sealPayload(KEY, Buffer.from('forty bytes of payload, give or take two'), CONTEXT);

  it('is refused with any bit of its head flipped', () => {
    for (let bit = 0; bit < 8 * sealed.head.length; bit += 1) {
      expectViolation(() => openPayload(KEY, { ...sealed, head: flipBit(sealed.head, bit) }, CONTEXT));
    }
  });

  it('is refused with any bit of its body flipped', () => {
    for (let bit = 0; bit < 8 * sealed.body.length; bit += 1) {
      expectViolation(() => openPayload(KEY, { ...sealed, body: flipBit(sealed.body, bit) }, CONTEXT));
    }
  });

  it('is refused with any bit of its context or DEK flipped', () => {
    for (let bit = 0; bit < 8 * CONTEXT.length; bit += 1) {
      expectViolation(() => openPayload(KEY, sealed, flipBit(CONTEXT, bit)));
    }
    for (let bit = 0; bit < 256; bit += 1)
      expectViolation(() => openPayload(flipBit(KEY, bit), sealed, CONTEXT));
  });

  it('is refused longer, shorter, or empty', () => {
    const more = Buffer.from([0]);
    for (const changed of [
      { ...sealed, head: Buffer.concat([sealed.head, more]) },
      { ...sealed, head: sealed.head.subarray(0, -1) },
      { ...sealed, head: new Uint8Array(0) },
      { ...sealed, body: Buffer.concat([sealed.body, more]) },
      { ...sealed, body: sealed.body.subarray(0, -1) },
      { ...sealed, body: new Uint8Array(0) },
    ])
      expectViolation(() => openPayload(KEY, changed, CONTEXT));
    expectViolation(() => openPayload(KEY, sealed, Buffer.concat([CONTEXT, more])));
  });

  it('is refused with the head of another payload', () => {
    const other = sealPayload(
      generateKey(),
      Buffer.from('forty bytes of payload, give or take two'),
      CONTEXT,
    );
    expectViolation(() => openPayload(KEY, { ...sealed, head: other.head }, CONTEXT));
    expectViolation(() => openPayload(KEY, { ...sealed, body: other.body }, CONTEXT));
    expectViolation(() => openPayload(KEY, other, CONTEXT));
  });

  it('is refused with each suite but its own', () => {
    for (let suite = 0; suite < 256; suite += 1) {
      if (suite === SUITES.payload) continue;
      const head = Buffer.concat([Buffer.from([suite]), sealed.head.subarray(1)]);
      expectViolation(() => openPayload(KEY, { ...sealed, head }, CONTEXT));
    }
  });

  it('is refused before it is decrypted when its commitment is another', () => {
    // GCM alone does not commit: this ciphertext and tag are right under the payload key, and only the
    // commitment is not.
    const head = Buffer.from(sealed.head);
    head.set(bytes('c', 32), 13);
    expectViolation(() => openPayload(KEY, { ...sealed, head }, CONTEXT));
    expectViolation(() => openPayload(KEY, { head, body: new Uint8Array(0) }, CONTEXT));
  });

  it('is refused when it authenticates and its padding is none', () => {
    const okm = reference.hkdf(KEY, 'coffer:payload-key-and-commitment', 64);
    const nonce = Buffer.alloc(12, 5);
    for (const padded of [
      new Uint8Array(0),
      new Uint8Array(32),
      bytes('p', 32),
      Buffer.alloc(64, 0).fill(0x80, 3, 4),
    ]) {
      const { ciphertext, tag } = encryptGcm(okm.subarray(0, 32), nonce, padded, CONTEXT);
      const head = Buffer.concat([Buffer.from([SUITES.payload]), nonce, okm.subarray(32), tag]);
      expectViolation(() => openPayload(KEY, { head, body: ciphertext }, CONTEXT));
    }
  });

  it.each(NO_KEYS)('is neither made nor opened with a DEK of %s', (_, dek) => {
    expectViolation(() => sealPayload(dek, bytes('p', 3), CONTEXT));
    expectViolation(() => openPayload(dek, sealed, CONTEXT));
  });
});

/** The lengths of what was filled with zeros meanwhile. */
function wipedBy(action: () => unknown): number[] {
  const spies = [vi.spyOn(Uint8Array.prototype, 'fill'), vi.spyOn(Buffer.prototype, 'fill')];
  try {
    action();
  } catch {
    // A refusal wipes as well.
  }
  const wiped = spies.flatMap(({ mock }) =>
    mock.contexts
      .filter((_, call) => mock.calls[call]?.[0] === 0)
      .map((memory) => (memory as Uint8Array).length),
  );
  for (const spy of spies) spy.mockRestore();
  return wiped;
}

/** HKDF's own: each block but the last, its pseudorandom key, and the last block. */
const HKDF_WIPES = [0, 32, 32, 32];

describe('sealing and opening', () => {
  const payload = Buffer.alloc(70, 'p');
  const sealed = sealPayload(KEY, payload, CONTEXT);

  it('wipe the derived key and the padded payload', () => {
    expect(wipedBy(() => sealPayload(KEY, payload, CONTEXT))).toEqual([32, ...HKDF_WIPES, 96]);
    expect(wipedBy(() => openPayload(KEY, sealed, CONTEXT))).toEqual([32, ...HKDF_WIPES, 96]);
  });

  it('wipe them when the payload is refused, too', () => {
    const commitment = { ...sealed, head: flipBit(sealed.head, 8 * 20) };
    expect(wipedBy(() => openPayload(KEY, commitment, CONTEXT))).toEqual([32, ...HKDF_WIPES]);
    const body = { ...sealed, body: flipBit(sealed.body, 3) };
    expect(wipedBy(() => openPayload(KEY, body, CONTEXT)).toSorted((one, other) => one - other)).toEqual([
      ...HKDF_WIPES,
      32,
      96,
    ]);
  });
});

describe('decryptGcm', () => {
  it('leaves no byte of what does not authenticate', () => {
    const nonce = Buffer.alloc(12, 1);
    const { ciphertext, tag } = encryptGcm(KEY, nonce, Buffer.from('plaintext'), CONTEXT);
    expect(() => decryptGcm(KEY, nonce, ciphertext, flipBit(tag, 3), CONTEXT)).toThrow();
    expect(() => decryptGcm(KEY, nonce, ciphertext, tag.subarray(0, 12), CONTEXT)).toThrow();
    expect(decryptGcm(KEY, nonce, ciphertext, tag, CONTEXT).toString()).toBe('plaintext');
  });
});

describe('a wrapped key', () => {
  const inner = randomBytes(32);
  const wrapped = wrapKey(KEY, inner, CONTEXT);

  it('opens to the key that was wrapped, for any keys and context', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (context) => {
        const [wrapping, key] = [generateKey(), generateKey()];
        const result = wrapKey(wrapping, key, context);
        expect(result.length).toBe(WRAPPED_KEY_BYTES);
        expect(unwrapKey(wrapping, result, context)).toEqual(key);
      }),
      { numRuns: rounds(1_000) },
    );
  });

  it('opens in the reference implementation, and one of that opens here', () => {
    expect(reference.unwrapKey(KEY, Buffer.from(wrapped), CONTEXT)).toEqual(inner);
    const theirs = reference.wrapKey(KEY, Buffer.alloc(24, 3), inner, CONTEXT);
    expect(Buffer.from(unwrapKey(KEY, theirs, CONTEXT))).toEqual(inner);
  });

  it('has another nonce each time', () => {
    const nonces = Array.from({ length: 200 }, () =>
      Buffer.from(wrapKey(KEY, inner, CONTEXT)).toString('hex', 1, 25),
    );
    expect(new Set(nonces).size).toBe(200);
  });

  it('is refused with any bit of it, of its context or of its wrapping key flipped', () => {
    for (let bit = 0; bit < 8 * wrapped.length; bit += 1) {
      expectViolation(() => unwrapKey(KEY, flipBit(wrapped, bit), CONTEXT));
    }
    for (let bit = 0; bit < 8 * CONTEXT.length; bit += 1) {
      expectViolation(() => unwrapKey(KEY, wrapped, flipBit(CONTEXT, bit)));
    }
    for (let bit = 0; bit < 256; bit += 1)
      expectViolation(() => unwrapKey(flipBit(KEY, bit), wrapped, CONTEXT));
  });

  it('is refused longer, shorter, or empty', () => {
    for (const changed of [
      Buffer.concat([wrapped, Buffer.from([0])]),
      wrapped.subarray(0, -1),
      wrapped.subarray(1),
      new Uint8Array(0),
      wrapped.subarray(0, 1),
    ])
      expectViolation(() => unwrapKey(KEY, changed, CONTEXT));
  });

  it('is refused with each suite but its own', () => {
    for (let suite = 0; suite < 256; suite += 1) {
      if (suite === SUITES.wrappedKey) continue;
      expectViolation(() =>
        unwrapKey(KEY, Buffer.concat([Buffer.from([suite]), wrapped.subarray(1)]), CONTEXT),
      );
    }
  });

  it('of zeros is refused even where it authenticates', () => {
    const zeros = reference.wrapKey(KEY, Buffer.alloc(24, 3), Buffer.alloc(32), CONTEXT);
    expectViolation(() => unwrapKey(KEY, zeros, CONTEXT));
  });

  it.each(NO_KEYS)('is neither made from nor opened by a key of %s', (_, key) => {
    expectViolation(() => wrapKey(key, inner, CONTEXT));
    expectViolation(() => wrapKey(KEY, key, CONTEXT));
    expectViolation(() => unwrapKey(key, wrapped, CONTEXT));
  });

  it('leaves both keys to their owners', () => {
    const [wrapping, key] = [Buffer.from(KEY), Buffer.from(inner)];
    unwrapKey(wrapping, wrapKey(wrapping, key, CONTEXT), CONTEXT);
    expect([wrapping, key]).toEqual([KEY, inner]);
  });
});

describe('deriveKey', () => {
  it('gives the key that RFC 5869 gives for its label', () => {
    for (const purpose of ['rows', 'audit', 'names', 'cursors']) {
      expect(Buffer.from(deriveKey(KEY, purpose))).toEqual(reference.hkdf(KEY, `coffer:${purpose}`, 32));
    }
  });

  it.each(NO_KEYS)('refuses a key of %s', (_, key) => {
    expectViolation(() => deriveKey(key, 'rows'));
  });
});

function nonceOf(head: Uint8Array): string {
  return Buffer.from(head.subarray(1, 13)).toString('hex');
}

describe('hkdf', () => {
  it('gives 255 blocks of the hash and refuses a byte more', () => {
    const info = Buffer.from('info');
    const most = hkdf(KEY, info, 8_160);
    expect(most).toHaveLength(8_160);
    expect(Buffer.from(hkdfSync('sha256', KEY, new Uint8Array(0), info, 8_160)).equals(most)).toBe(true);
    expect(() => hkdf(KEY, info, 8_161)).toThrow(new RangeError('HKDF gives 8,160 bytes at most'));
  });
});
