/** FORMAT.md §9 a second time, from the page alone, as `reference.ts` has the others. */
import { createHash } from 'node:crypto';
import { encode, hkdf, message, wrapKey } from './reference.ts';

/** Polynomials over GF(2) as integers: multiplied, then divided with remainder. */
function multiply(a: number, b: number): number {
  let product = 0n;
  for (let bit = 0n; bit < 8n; bit += 1n) {
    if ((BigInt(b) >> bit) & 1n) product ^= BigInt(a) << bit;
  }
  for (let bit = 14n; bit >= 8n; bit -= 1n) {
    if ((product >> bit) & 1n) product ^= 0x11bn << (bit - 8n);
  }
  return Number(product);
}

function power(base: number, exponent: number): number {
  return exponent === 0 ? 1 : multiply(base, power(base, exponent - 1));
}

/** The share's value: each byte's polynomial, term by term. */
export function valueAt(key: Buffer, coefficients: Buffer[], number: number): Buffer {
  return Buffer.from(
    key.map((byte, at) =>
      coefficients.reduce((sum, c, degree) => sum ^ multiply(c[at]!, power(number, degree + 1)), byte),
    ),
  );
}

/** Lagrange at 0, with the inverse found by trying. */
export function combine(points: { number: number; value: Buffer }[]): Buffer {
  const invert = (a: number): number =>
    Array.from({ length: 256 }, (_, b) => b).find((b) => multiply(a, b) === 1)!;
  const key = Buffer.alloc(32);
  for (const { number, value } of points) {
    const weight = points
      .filter((other) => other.number !== number)
      .reduce((product, other) => {
        return multiply(product, multiply(other.number, invert(number ^ other.number)));
      }, 1);
    for (const [at, byte] of value.entries()) key[at]! ^= multiply(byte, weight);
  }
  return key;
}

export function formatShare(number: number, setId: string, value: Buffer): string {
  const body = Buffer.concat([Buffer.from([number]), Buffer.from(setId, 'hex'), value]);
  const encoded = encode([
    ['text', 'coffer:share'],
    ['bytes', body.toString('hex')],
  ]);
  const checksum = createHash('sha256').update(encoded).digest().subarray(0, 4);
  const bits = Array.from(Buffer.concat([body, checksum]), (byte) => byte.toString(2).padStart(8, '0')).join(
    '',
  );
  const digits = bits
    .match(/.{5}/g)!
    .map((five) => '0123456789abcdefghjkmnpqrstvwxyz'[Number.parseInt(five, 2)]);
  return `coffer-share-1-${digits.join('').match(/.{6}/g)!.join('-')}`;
}

export interface SplitVector {
  installation: string;
  set: string;
  threshold: number;
  count: number;
  key: string;
  nonce: string;
  coefficients: string[];
  content: string;
  file: string;
  shares: string[];
}

/** The file, of which the content is encrypted as a wrapped key is, but for its head. */
export function formatFile(vector: SplitVector): string {
  const { installation, set, threshold, count } = vector;
  const context = message('split-keyring', installation, [
    ['integer', '6'],
    ['bytes', set],
    ['integer', String(threshold)],
    ['integer', String(count)],
  ]);
  const okm = hkdf(Buffer.from(vector.key, 'hex'), 'coffer:keyring-key-and-commitment', 64);
  const nonce = Buffer.from(vector.nonce, 'hex');
  const body = wrapKey(okm.subarray(0, 32), nonce, Buffer.from(vector.content), context).subarray(25);
  const sealed = Buffer.concat([Buffer.from([6]), nonce, okm.subarray(32), body]).toString('hex');
  return `coffer-split-keyring 1\ninstallation ${installation}\nset ${set}\nshares ${threshold}/${count}\nsealed ${sealed}\n`;
}
