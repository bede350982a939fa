import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pad, paddedLength, unpad } from '../../src/crypto/padding.ts';
import { rounds } from '../harness/rounds.ts';
import { expectViolation } from './refusal.ts';
import * as reference from './reference.ts';

describe('paddedLength', () => {
  it('is the next multiple of 32 up to 1 KiB and PADMÉ above, for each length to 70,000', () => {
    for (let length = 0; length <= 70_000; length += 1) {
      if (paddedLength(length) !== reference.paddedLength(length)) {
        expect(paddedLength(length), `of ${length}`).toBe(reference.paddedLength(length));
      }
    }
  });

  it('costs at most 12 % past 1 KiB, never shrinks, and has at most 80 values from there to 20,000', () => {
    const lengths = new Set<number>();
    for (let length = 0; length <= 20_000; length += 1) {
      const stored = paddedLength(length);
      expect(stored).toBeGreaterThan(length);
      if (length >= 1024) expect(stored).toBeLessThanOrEqual(1.12 * (length + 1));
      if (length > 0) expect(stored).toBeGreaterThanOrEqual(paddedLength(length - 1));
      if (length >= 1024) lengths.add(stored);
    }
    expect(lengths.size).toBeLessThanOrEqual(80);
  });
});

describe('pad', () => {
  it('appends 0x80 and zeros', () => {
    const padded = pad(Uint8Array.of(1, 2, 3));
    expect(padded.toString('hex')).toBe(`01020380${'00'.repeat(28)}`);
  });

  it('is undone by unpad, whatever the payload ends with', () => {
    const payload = fc.tuple(
      fc.uint8Array({ maxLength: 3000 }),
      fc.constantFrom('', '00', '80', '8000', '0080'),
    );
    fc.assert(
      fc.property(payload, ([begin, end]) => {
        const input = Buffer.concat([begin, Buffer.from(end, 'hex')]);
        expect(pad(input)).toEqual(reference.pad(input));
        expect(Buffer.from(unpad(pad(input)))).toEqual(input);
      }),
      { numRuns: rounds(2_000) },
    );
  });
});

describe('unpad', () => {
  const padded = pad(Buffer.from('payload'));

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['zeros alone', Buffer.alloc(32)],
    ['another marker', Buffer.concat([Buffer.from('payload'), Buffer.from([0x81]), Buffer.alloc(24)])],
    ['no marker', Buffer.alloc(32, 0x61)],
    ['a block too many', Buffer.concat([padded, Buffer.alloc(32)])],
    ['a byte too many', Buffer.concat([padded, Buffer.alloc(1)])],
    ['a byte too few', padded.subarray(0, 31)],
    ['a marker alone', Buffer.from([0x80])],
  ])('refuses %s', (_, input) => {
    expectViolation(() => unpad(input));
  });

  it('gives a view of the same memory, so that one wipe is enough', () => {
    const memory = pad(Buffer.from('payload'));
    const payload = unpad(memory);
    memory.fill(0);
    expect(payload).toEqual(Buffer.alloc(7));
  });
});
