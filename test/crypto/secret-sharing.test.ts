import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { combine as combineElsewhere, split as splitElsewhere } from 'shamir-secret-sharing';
import { describe, expect, it } from 'vitest';
import { combinePoints, type KeyPoint, splitKey } from '../../src/crypto/secret-sharing.ts';
import { rounds } from '../harness/rounds.ts';
import { fromHex, readVectors } from '../vectors/read-vectors.ts';
import * as reference from './reference-sharing.ts';

const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');

/** As the audited library has a point: the value, then its number. */
const outside = ({ number, value }: KeyPoint): Uint8Array => Uint8Array.of(...value, number);

function subsets<T>(all: readonly T[], size: number): T[][] {
  if (size === 0) return [[]];
  return all.flatMap((one, at) => subsets(all.slice(at + 1), size - 1).map((rest) => [one, ...rest]));
}

describe('a key that was split', () => {
  it.each([
    [2, 2],
    [2, 3],
    [3, 5],
    [5, 5],
    [4, 7],
  ])('comes of every %i of its %i shares, and of no fewer', (threshold, count) => {
    const key = randomBytes(32);
    const points = splitKey(key, threshold, count);
    expect(points.map(({ number }) => number)).toEqual(Array.from({ length: count }, (_, at) => at + 1));
    for (const some of subsets(points, threshold)) expect(hex(combinePoints(some))).toBe(hex(key));
    for (const few of subsets(points, threshold - 1)) expect(hex(combinePoints(few))).not.toBe(hex(key));
    expect(hex(combinePoints(points))).toBe(hex(key));
  });

  it('comes back from the audited library, and the library’s from here, whatever the numbers', async () => {
    const property = fc.asyncProperty(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.integer({ min: 2, max: 12 }),
      fc.integer({ min: 0, max: 12 }),
      async (key, threshold, more) => {
        const own = splitKey(key, threshold, threshold + more)
          .toReversed()
          .slice(0, threshold);
        expect(hex(await combineElsewhere(own.map(outside)))).toBe(hex(key));
        const theirs = await splitElsewhere(key, threshold + more, threshold);
        const points = theirs.slice(0, threshold).map((point) => {
          return { number: point[32]!, value: point.subarray(0, 32) };
        });
        expect(hex(combinePoints(points))).toBe(hex(key));
        expect(reference.combine(points.map((one) => ({ ...one, value: Buffer.from(one.value) })))).toEqual(
          Buffer.from(key),
        );
      },
    );
    await fc.assert(property, { numRuns: rounds(200) });
  }, 60_000);

  it('may have as many shares as there are numbers', () => {
    const key = randomBytes(32);
    const points = splitKey(key, 255, 255);
    expect(hex(combinePoints(points))).toBe(hex(key));
    expect(hex(combinePoints(points.slice(1)))).not.toBe(hex(key));
  });

  it('tells nothing by fewer shares: a byte of theirs takes every value as often', () => {
    const key = new Uint8Array(32).fill(0x5a);
    const counts = new Uint32Array(256);
    for (let round = 0; round < 800; round += 1) {
      for (const byte of splitKey(key, 2, 2)[0]!.value) counts[byte]! += 1;
    }
    // 100 are expected of each, the byte of the key itself among them. Chance goes that far once in 500
    // million runs; it goes further up than down.
    expect(Math.min(...counts)).toBeGreaterThan(40);
    expect(Math.max(...counts)).toBeLessThan(180);
  });

  it('is what the golden coefficients say', () => {
    const vector = readVectors<reference.SplitVector>('split-keyring.json');
    const key = fromHex(vector.key);
    const points = [5, 2, 4].map((number) => {
      return { number, value: reference.valueAt(key, vector.coefficients.map(fromHex), number) };
    });
    expect(hex(combinePoints(points))).toBe(vector.key);
  });

  it.each([
    [1, 1],
    [1, 3],
    [4, 3],
    [2, 256],
    [Number.NaN, 3],
  ])('is not split %i of %i', (threshold, count) => {
    expect(() => splitKey(randomBytes(32), threshold, count)).toThrow(RangeError);
  });

  it('is not made of a number given twice, of number 0, or of values of another length', () => {
    const value = new Uint8Array(32);
    const bad = (...points: KeyPoint[]) => expect(() => combinePoints(points)).toThrow(RangeError);
    bad({ number: 1, value }, { number: 1, value });
    bad({ number: 0, value }, { number: 1, value });
    bad({ number: 256, value }, { number: 1, value });
    bad({ number: 2, value: value.subarray(1) }, { number: 1, value });
    expect(() => splitKey(value.subarray(1), 2, 2)).toThrow(RangeError);
  });
});
