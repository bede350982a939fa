import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFields, list, text } from '../../../src/crypto/encoding.ts';
import {
  decodeAccessRules,
  decodeRoles,
  encodeAccessRules,
  encodeRoles,
} from '../../../src/identity/applications/credential-lists.ts';
import { rounds } from '../../harness/rounds.ts';

const anyText = fc.string({ unit: 'grapheme', maxLength: 20 });
const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
const runs = { numRuns: rounds(1_000) };

describe('the lists of a credential', () => {
  it('are read back as they were written, in one order', () => {
    const roles = fc.uniqueArray(fc.record({ id: anyText, name: anyText }), { selector: ({ id }) => id });
    const rule = fc.record({ id: anyText, service: anyText, method: anyText, path: anyText });
    const rules = fc.uniqueArray(rule, { selector: ({ id }) => id });
    fc.assert(
      fc.property(roles, (given) => {
        expect(decodeRoles(encodeRoles(given))).toEqual(given.toSorted(byId));
        expect(encodeRoles(given.toReversed())).toEqual(encodeRoles(given));
      }),
      runs,
    );
    fc.assert(
      fc.property(rules, (given) => {
        expect(decodeAccessRules(encodeAccessRules(given))).toEqual(given.toSorted(byId));
        expect(encodeAccessRules(given.toReversed())).toEqual(encodeAccessRules(given));
      }),
      runs,
    );
  });

  it('tell no restriction from rules that allow nothing', () => {
    expect(decodeAccessRules(encodeAccessRules(null))).toBeNull();
    expect(decodeAccessRules(encodeAccessRules([]))).toEqual([]);
  });

  it.each([
    ['a text', encodeFields([text('x')])],
    ['a shorter list', encodeFields([list([text('x')])])],
    ['a longer list', encodeFields([list([text('a'), text('b'), text('c'), text('d'), text('e')])])],
    ['a list of lists', encodeFields([list([list([]), list([])])])],
    ['noise', Buffer.from('00ff', 'hex')],
  ])('refuse %s', (_what, encoded) => {
    const refusal = expect.objectContaining({ code: 'integrity_violation' });
    expect(() => decodeRoles(encoded)).toThrow(refusal);
    expect(() => decodeAccessRules(encoded)).toThrow(refusal);
  });
});
