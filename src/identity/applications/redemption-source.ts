import { BlockList, isIP } from 'node:net';

/** `192.0.2.0/24`, `2001:db8::/32`, or one address. Undefined for what is neither. */
function parseSource(text: string): { address: string; family: 'ipv4' | 'ipv6'; bits: number } | undefined {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  const bitsMax = version === 4 ? 32 : 128;
  if (version === 0 || rest.length > 0 || (bits !== undefined && !/^\d{1,3}$/.test(bits))) return undefined;
  const length = bits === undefined ? bitsMax : Number(bits);
  if (length > bitsMax) return undefined;
  return { address, family: version === 4 ? 'ipv4' : 'ipv6', bits: length };
}

export function isSource(text: string): boolean {
  return parseSource(text) !== undefined;
}

/** Whether the peer's address is of the source. What cannot be read is of none. */
export function isFromSource(source: string, address: string): boolean {
  const range = parseSource(source);
  const peer = address.replace(/^::ffff:(?=[\d.]+$)/i, '').replace(/%.*$/, '');
  const version = isIP(peer);
  if (range === undefined || version === 0) return false;
  const list = new BlockList();
  list.addSubnet(range.address, range.bits, range.family);
  return list.check(peer, version === 4 ? 'ipv4' : 'ipv6');
}
