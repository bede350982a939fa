import { expect, it } from 'vitest';
import { parseMicroversion } from '../../src/http/microversions.ts';
import { formatKeystoneTime, formatTimestamp } from '../../src/http/timestamps.ts';

it.each([
  [undefined, 1, 0],
  ['', 1, 0],
  ['key-manager', 1, 0],
  ['compute 2.79', 1, 0],
  ['key-manager 1.0', 1, 0],
  ['key-manager 1.1', 1, 1],
  ['Key-Manager 1.2', 1, 2],
  ['key-manager latest', 1, 2],
  ['compute 2.79, key-manager 1.1,volume 3.0', 1, 1],
])('reads %j', (header, major, minor) => {
  expect(parseMicroversion(header)).toEqual({ major, minor });
});

it.each(['1.3', '1.9', '2.0', '0.9', '1.999999999'])('does not support %s', (number) => {
  expect(() => parseMicroversion(`key-manager ${number}`)).toThrow(
    expect.objectContaining({ code: 'not_acceptable' }),
  );
});

it.each(['abc', '1', '1.', '1.1.1', '1.0000000000', '１.１'])('refuses the number %j', (number) => {
  expect(() => parseMicroversion(`key-manager ${number}`)).toThrow(
    expect.objectContaining({ code: 'bad_request' }),
  );
});

it('prints instants with six digits, with a zone for Keystone alone', () => {
  const date = new Date('2026-11-21T02:12:32.337Z');
  expect(formatTimestamp(date)).toBe('2026-11-21T02:12:32.337000');
  expect(formatTimestamp(new Date(0))).toBe('1970-01-01T00:00:00.000000');
  expect(formatKeystoneTime(date)).toBe('2026-11-21T02:12:32.337000Z');
});
