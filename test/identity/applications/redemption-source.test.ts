import { describe, expect, it } from 'vitest';
import { isFromSource, isSource } from '../../../src/identity/applications/redemption-source.ts';

describe('a source', () => {
  it.each(['192.0.2.1', '192.0.2.0/24', '0.0.0.0/0', '2001:db8::1', '2001:db8::/32', '::/0', '::1/128'])(
    'may be %s',
    (text) => expect(isSource(text)).toBe(true),
  );

  it.each([
    '',
    'x',
    '192.0.2',
    '192.0.2.0/33',
    '192.0.2.0/-1',
    '192.0.2.0/24/1',
    '::/129',
    '::/',
    'a.example',
    '01.2.3.4',
  ])('is not %j', (text) => expect(isSource(text)).toBe(false));

  it.each([
    ['192.0.2.0/24', '192.0.2.200', true],
    ['192.0.2.0/24', '::ffff:192.0.2.200', true],
    ['192.0.2.0/24', '192.0.3.1', false],
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.7', '192.0.2.8', false],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['2001:db8::/32', '2001:db8:1::9', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['192.0.2.0/24', '', false],
    ['192.0.2.0/24', 'nonsense', false],
    ['nonsense', '192.0.2.1', false],
  ])('%s holds %s: %s', (source, address, expected) => {
    expect(isFromSource(source, address)).toBe(expected);
  });
});
