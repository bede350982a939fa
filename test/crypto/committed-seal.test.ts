import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openCommitted, requireSuite, sealCommitted } from '../../src/crypto/committed-seal.ts';
import { fromHex, readVectors } from '../vectors/read-vectors.ts';
import type { SplitVector } from './reference-sharing.ts';
import * as reference from './reference.ts';
import { expectViolation, flipBit } from './refusal.ts';

const vector = readVectors<SplitVector>('split-keyring.json');
const goldenContext = reference.message('split-keyring', vector.installation, [
  ['integer', '6'],
  ['bytes', vector.set],
  ['integer', String(vector.threshold)],
  ['integer', String(vector.count)],
]);
const goldenSealed = fromHex(/^sealed (\w+)$/m.exec(vector.file)![1]!);

const key = randomBytes(32);
const content = Buffer.from('what a keyring holds');
const context = Buffer.from('of this one');

describe('content sealed under a key that it commits to', () => {
  it('is what the golden one says', () => {
    const opened = openCommitted(fromHex(vector.key), goldenSealed, goldenContext);
    expect(Buffer.from(opened).toString()).toBe(vector.content);
  });

  it('is a suite, a fresh nonce, the commitment, ciphertext and tag, and opens again', () => {
    const sealed = [sealCommitted(key, content, context), sealCommitted(key, content, context)] as const;
    const commitment = reference.hkdf(key, 'coffer:keyring-key-and-commitment', 64).subarray(32);
    for (const one of sealed) {
      expect([one.length, one[0]]).toEqual([1 + 24 + 32 + content.length + 16, 6]);
      expect(Buffer.from(one.subarray(25, 57))).toEqual(commitment);
      expect(Buffer.from(one).includes(content)).toBe(false);
      expect(Buffer.from(openCommitted(key, one, context))).toEqual(content);
    }
    expect(sealed[0].subarray(1, 25)).not.toEqual(sealed[1].subarray(1, 25));
  });

  it('may be empty', () => {
    const sealed = sealCommitted(key, new Uint8Array(), context);
    expect(openCommitted(key, sealed, context)).toHaveLength(0);
    expectViolation(() => openCommitted(key, sealed.subarray(0, -1), context));
  });

  it('with any bit turned over, any cut, another context or another key does not open', () => {
    const sealed = sealCommitted(key, content, context);
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      expectViolation(() => openCommitted(key, flipBit(sealed, bit), context));
    }
    for (let length = 0; length < sealed.length; length += 1) {
      expectViolation(() => openCommitted(key, sealed.subarray(0, length), context));
    }
    expectViolation(() => openCommitted(key, sealed, Buffer.from('of another')));
    expectViolation(() => openCommitted(randomBytes(32), sealed, context));
  });

  it('under another key does not open with the commitment of the first', () => {
    const other = randomBytes(32);
    const sealed = Buffer.from(sealCommitted(other, content, context));
    sealed.set(sealCommitted(key, content, context).subarray(25, 57), 25);
    expectViolation(() => openCommitted(other, sealed, context));
    expectViolation(() => openCommitted(key, sealed, context));
  });

  it('takes no key of zeros, and no key of another length', () => {
    const sealed = sealCommitted(key, content, context);
    for (const bad of [new Uint8Array(32), key.subarray(1)]) {
      expectViolation(() => sealCommitted(bad, content, context));
      expectViolation(() => openCommitted(bad, sealed, context));
    }
  });

  it('is known by its suite and its least length', () => {
    expect(() => requireSuite(Buffer.concat([Buffer.of(6), Buffer.alloc(72)]))).not.toThrow();
    expectViolation(() => requireSuite(Buffer.concat([Buffer.of(6), Buffer.alloc(71)])));
    expectViolation(() => requireSuite(Buffer.concat([Buffer.of(2), Buffer.alloc(72)])));
    expectViolation(() => requireSuite(Buffer.of()));
  });
});
