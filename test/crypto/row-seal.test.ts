import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SUITES } from '../../src/crypto/envelope.ts';
import {
  ROW_SEAL_BYTES,
  hmacSha256,
  makeRowSeal,
  readSealLayout,
  verifyRowSeal,
} from '../../src/crypto/row-seal.ts';
import { expectViolation, flipBit } from './refusal.ts';
import * as reference from './reference.ts';

const KEY = randomBytes(32);
const MESSAGE = Buffer.from('the encoded columns of a row');

describe('a row seal', () => {
  const seal = makeRowSeal(KEY, 1, MESSAGE);

  it('is the one that the reference implementation makes, for each layout number', () => {
    expect(seal.length).toBe(ROW_SEAL_BYTES);
    for (const layout of [0, 1, 255, 256, 258, 65_535]) {
      const made = makeRowSeal(KEY, layout, MESSAGE);
      expect(made).toEqual(reference.sealRow(KEY, layout, MESSAGE));
      expect(readSealLayout(made)).toBe(layout);
      verifyRowSeal(KEY, made, MESSAGE);
    }
  });

  it('is refused with any bit of it, of its message or of its key flipped', () => {
    for (let bit = 0; bit < 8 * seal.length; bit += 1) {
      expectViolation(() => verifyRowSeal(KEY, flipBit(seal, bit), MESSAGE));
    }
    for (let bit = 0; bit < 8 * MESSAGE.length; bit += 1) {
      expectViolation(() => verifyRowSeal(KEY, seal, flipBit(MESSAGE, bit)));
    }
    for (let bit = 0; bit < 256; bit += 1)
      expectViolation(() => verifyRowSeal(flipBit(KEY, bit), seal, MESSAGE));
  });

  it('is refused under another layout number', () => {
    const moved = Buffer.from(seal);
    moved.writeUInt16BE(2, 1);
    expectViolation(() => verifyRowSeal(KEY, moved, MESSAGE));
  });

  it('is refused longer, shorter, empty, or of another suite', () => {
    for (const changed of [
      Buffer.concat([seal, Buffer.from([0])]),
      seal.subarray(0, -1),
      new Uint8Array(0),
      ...Array.from({ length: 256 }, (_, suite) =>
        Buffer.concat([Buffer.from([suite]), seal.subarray(1)]),
      ).filter((_, suite) => suite !== SUITES.rowSeal),
    ]) {
      expectViolation(() => readSealLayout(changed));
      expectViolation(() => verifyRowSeal(KEY, changed, MESSAGE));
    }
  });

  it('is neither made nor verified with a key that was wiped, or of another length', () => {
    for (const key of [new Uint8Array(32), Buffer.alloc(31, 1), Buffer.alloc(33, 1), new Uint8Array(0)]) {
      expectViolation(() => makeRowSeal(key, 1, MESSAGE));
      expectViolation(() => verifyRowSeal(key, seal, MESSAGE));
      expectViolation(() => hmacSha256(key, MESSAGE));
    }
  });
});
