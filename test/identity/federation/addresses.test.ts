import { describe, expect, it } from 'vitest';
import { isPublicAddress } from '../../../src/identity/federation/addresses.ts';

describe('an address that key sets may be read from', () => {
  it.each(['1.1.1.1', '140.82.112.3', '192.0.1.1', '172.32.0.1', '223.255.255.254', '2606:4700::6810:84e5'])(
    'is %s, of the public Internet',
    (address) => expect(isPublicAddress(address)).toBe(true),
  );

  it.each([
    ['0.0.0.0', 'this host'],
    ['10.1.2.3', 'private'],
    ['100.64.0.1', 'of a carrier'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.255', 'loopback'],
    ['169.254.169.254', 'the metadata service of clouds'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['192.168.0.1', 'private'],
    ['198.18.0.1', 'for benchmarks'],
    ['224.0.0.1', 'multicast'],
    ['255.255.255.255', 'broadcast'],
    ['::', 'this host'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'a mapped loopback'],
    ['::ffff:1.1.1.1', 'a mapped address'],
    ['64:ff9b::7f00:1', 'loopback behind NAT64'],
    ['2002:7f00:1::', 'loopback behind 6to4'],
    ['2001:0:7f00:1::', 'Teredo'],
    ['2001:db8::1', 'an example'],
    ['fc00::1', 'unique local'],
    ['fd12:3456::1', 'unique local'],
    ['fe80::1', 'link-local'],
    ['fe80::1%lo', 'link-local with a zone'],
    ['ff02::1', 'multicast'],
    ['localhost', 'a name'],
    ['0x7f.1', 'a spelling of loopback'],
    ['', 'nothing'],
  ])('is not %s: %s', (address) => expect(isPublicAddress(address)).toBe(false));
});
