import { describe, expect, it } from 'vitest';
import { encodeFields, integer, list, text } from '../../src/crypto/encoding.ts';
import { decodeLimits, encodeLimits } from '../../src/quotas/record.ts';

const GOLDEN =
  '070000001c020000000a636f6e7461696e657273030000000800000000000000000' +
  '70000001902000000077365637265747303000000080000000000000005';

describe('the limits in a project’s row', () => {
  it('have one encoding, whatever the order in which they were set', () => {
    const one = encodeLimits(new Map([['secrets', 5] as const, ['containers', 0] as const]));
    const two = encodeLimits(new Map([['containers', 0] as const, ['secrets', 5] as const]));
    expect(Buffer.from(one).toString('hex')).toBe(Buffer.from(two).toString('hex'));
    expect(Buffer.from(one).toString('hex')).toBe(GOLDEN);
  });

  it('read back as they were set, none of them too', () => {
    const limits = new Map([['orders', -1] as const, ['cas', 2_147_483_647] as const]);
    expect(decodeLimits(encodeLimits(limits))).toEqual(limits);
    expect(decodeLimits(encodeLimits(new Map()))).toEqual(new Map());
  });

  it.each([
    ['of another resource', [list([text('payloads'), integer(1n)])]],
    ['without a number', [list([text('secrets')])]],
    ['as text', [list([text('secrets'), text('1')])]],
    ['outside a pair', [text('secrets'), integer(1n)]],
  ])('are refused %s', (_, fields) => {
    expect(() => decodeLimits(encodeFields(fields))).toThrow('Integrity Violation');
  });
});
