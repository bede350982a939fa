import { randomFillSync } from 'node:crypto';
import { KEY_BYTES, wipe } from './envelope.ts';

/** One value of the polynomials that a key is split by (FORMAT.md §9). */
export interface KeyPoint {
  /** Where: 1 to 255, another for each share. Not secret. */
  number: number;
  /** The value there of each byte's polynomial, KEY_BYTES long. */
  value: Uint8Array;
}

export const POINTS_MAX = 255;

/**
 * Splits a 256-bit key by Shamir's scheme (Communications of the ACM 22, 1979) over GF(2^8): any `threshold`
 * of the `count` points give the key, fewer nothing about it. No branch and no look-up depends on a secret.
 * Borrows `key`; wipes the coefficients. The caller owns the points and wipes them.
 *
 * @throws RangeError (a bug of the caller) unless 2 ≤ threshold ≤ count ≤ 255.
 */
export function splitKey(key: Uint8Array, threshold: number, count: number): KeyPoint[] {
  if (!(threshold >= 2 && threshold <= count && count <= POINTS_MAX)) {
    throw new RangeError('2 ≤ threshold ≤ count ≤ 255');
  }
  if (key.length !== KEY_BYTES) throw new RangeError('a key has 32 bytes');
  // All of them random, the highest too: one that is never 0 would tell something.
  const coefficients = randomFillSync(new Uint8Array((threshold - 1) * KEY_BYTES));
  try {
    return Array.from({ length: count }, (_, index) => {
      const number = index + 1;
      return { number, value: evaluate(key, coefficients, number) };
    });
  } finally {
    wipe(coefficients);
  }
}

/** By Horner's rule, from the highest coefficient down to the key itself. */
function evaluate(key: Uint8Array, coefficients: Uint8Array, x: number): Uint8Array {
  const value = new Uint8Array(KEY_BYTES);
  for (let start = coefficients.length - KEY_BYTES; start >= 0; start -= KEY_BYTES) {
    for (let at = 0; at < KEY_BYTES; at += 1) {
      value[at] = multiply(value[at] as number, x) ^ (coefficients[start + at] as number);
    }
  }
  for (let at = 0; at < KEY_BYTES; at += 1) {
    value[at] = multiply(value[at] as number, x) ^ (key[at] as number);
  }
  return value;
}

/**
 * The key that points of `splitKey` give, when they are at least as many as its threshold, by Lagrange's
 * interpolation at 0. Other points, or too few, give another key: the caller verifies what comes. Borrows
 * `points`. The caller owns the key and wipes it.
 *
 * @throws RangeError (a bug of the caller) for a number that is given twice, or is none.
 */
export function combinePoints(points: readonly KeyPoint[]): Uint8Array {
  const numbers = points.map(({ number }) => number);
  if (new Set(numbers).size < numbers.length) throw new RangeError('a number is given twice');
  const key = new Uint8Array(KEY_BYTES);
  for (const { number, value } of points) {
    if (!(number >= 1 && number <= POINTS_MAX) || value.length !== KEY_BYTES) {
      throw new RangeError('not a point of a split key');
    }
    const weight = weightAtZero(number, numbers);
    for (let at = 0; at < KEY_BYTES; at += 1) {
      key[at] = (key[at] as number) ^ multiply(value[at] as number, weight);
    }
  }
  return key;
}

function weightAtZero(number: number, numbers: readonly number[]): number {
  let weight = 1;
  for (const other of numbers) {
    if (other !== number) weight = multiply(weight, multiply(other, invert(other ^ number)));
  }
  return weight;
}

/** In GF(2^8) modulo x⁸ + x⁴ + x³ + x + 1, as in AES (FIPS 197 §4.2): eight steps whatever the factors. */
function multiply(a: number, b: number): number {
  let product = 0;
  let shifted = a;
  for (let bit = 0; bit < 8; bit += 1) {
    product ^= -((b >> bit) & 1) & shifted;
    shifted = ((shifted << 1) ^ (-(shifted >> 7) & 0x11b)) & 0xff;
  }
  return product;
}

/** a^254, which is 1/a. */
function invert(a: number): number {
  let power = a;
  for (let step = 0; step < 6; step += 1) power = multiply(multiply(power, power), a);
  return multiply(power, power);
}
