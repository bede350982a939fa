import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Scanner } from './scanner.ts';

const text = `canary "${randomBytes(12).toString('base64')}" \\ é\n& ${randomBytes(12).toString('hex')}`;
const values: Record<string, Buffer> = { text: Buffer.from(text), bytes: randomBytes(48) };
const noise = (): Buffer => randomBytes(1_000);

/** Encoded by other hands than the scanner's. */
const plants: Record<string, (value: Buffer) => Buffer | string> = {
  raw: (value) => value,
  hex: (value) => value.toString('hex'),
  'upper-case hex': (value) => value.toString('hex').toUpperCase(),
  'base64 at the first offset': (value) => Buffer.concat([Buffer.from('abc'), value]).toString('base64'),
  'base64 at the second offset': (value) => Buffer.concat([Buffer.from('abcd'), value]).toString('base64'),
  'base64 at the third offset': (value) => Buffer.concat([Buffer.from('ab'), value]).toString('base64'),
  'base64url at the second offset': (value) => Buffer.concat([Buffer.from('a'), value]).toString('base64url'),
  'URL-escaped': (value) => new URLSearchParams({ q: value.toString('latin1') }).toString(),
  'URL-escaped whole': (value) => value.toString('hex').replace(/../g, '%$&'),
  'JSON-escaped': (value) => JSON.stringify({ said: value.toString('latin1') }),
  'JSON in JSON': (value) => JSON.stringify(JSON.stringify({ said: value.toString('latin1') })),
  'UTF-16LE': (value) => Buffer.from(value.toString('latin1'), 'utf16le'),
  'UTF-16BE': (value) => Buffer.from(value.toString('latin1'), 'utf16le').swap16(),
  'a printed buffer': (value) => inspect(value),
  'a buffer in JSON': (value) => JSON.stringify(value),
  'cut off': (value) => value.subarray(0, 20),
};

describe.each(Object.keys(values))('a planted canary of %s', (kind) => {
  const value = values[kind]!;
  const scanner = new Scanner();
  scanner.add(kind, value);

  it.each(Object.keys(plants))('is found as %s', (plant) => {
    const planted = Buffer.from(plants[plant]!(value) as string);
    for (const before of [0, 1, 2, 3]) {
      const place = Buffer.concat([noise(), noise().subarray(0, before), planted, noise()]);
      expect(scanner.scan('here', place).map(({ label }) => label)).toContain(kind);
    }
  });

  it('is not seen where it is not', () => {
    const haystack = [randomBytes(1_000_000), randomBytes(100_000).toString('base64')];
    for (const content of haystack) expect(scanner.scan('there', content)).toEqual([]);
  });
});
