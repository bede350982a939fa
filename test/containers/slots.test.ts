import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeSlots, encodeSlots } from '../../src/containers/slots.ts';
import { encodeFields, integer, list, text, uuid } from '../../src/crypto/encoding.ts';
import { rounds } from '../harness/rounds.ts';

const id = '7d444840-9dc0-41d1-b245-5ffdce74fad2';
const wellFormed = fc.string({ unit: 'binary', maxLength: 30 });
const anySlot = fc.record({ name: fc.option(wellFormed), secretId: fc.uuid() });

describe('the slots of a container', () => {
  it('read back as they were written, in their order', () => {
    fc.assert(
      fc.property(fc.array(anySlot, { maxLength: 20 }), (slots) => {
        expect(decodeSlots(encodeSlots(slots))).toEqual(slots);
      }),
      { numRuns: rounds(1_000) },
    );
  });

  it('are no bytes when there are none', () => {
    expect(encodeSlots([])).toHaveLength(0);
    expect(decodeSlots(new Uint8Array())).toEqual([]);
  });

  it.each([
    ['a text for a slot', [text('x')]],
    ['a slot without a secret', [list([text('x')])]],
    ['a slot of text alone', [list([text('x'), text(id)])]],
    ['a number for a name', [list([integer(1n), uuid(id)])]],
    ['a third field', [list([text('x'), uuid(id), text('y')])]],
    ['an empty slot', [list([])]],
  ])('that hold %s are refused', (_, fields) => {
    expect(() => decodeSlots(encodeFields(fields))).toThrow('Integrity Violation');
  });

  it('that are no encoding are refused', () => {
    for (const bytes of ['00', '0700000001', 'ff0000000000']) {
      expect(() => decodeSlots(Buffer.from(bytes, 'hex'))).toThrow('Integrity Violation');
    }
  });
});
