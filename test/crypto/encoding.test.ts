import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Field,
  NULL,
  boolean,
  bytes,
  decodeFields,
  encodeFields,
  encodeMessage,
  integer,
  list,
  text,
  time,
  uuid,
} from '../../src/crypto/encoding.ts';
import { CofferError } from '../../src/errors.ts';
import { rounds } from '../harness/rounds.ts';
import { expectViolation } from './refusal.ts';

const INSTALLATION = Buffer.alloc(16, 7);
const numRuns = rounds(5_000);

const leaf: fc.Arbitrary<Field> = fc.oneof(
  fc.constant(NULL),
  fc.uint8Array({ maxLength: 40 }).map(bytes),
  fc.string({ unit: 'binary', maxLength: 20 }).map(text),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(integer),
  fc.boolean().map(boolean),
  fc.date({ noInvalidDate: true }).map(time),
  fc.uuid().map(uuid),
);
const field: fc.Arbitrary<Field> = fc.oneof(
  { weight: 4, arbitrary: leaf },
  { weight: 1, arbitrary: fc.array(leaf, { maxLength: 4 }).map(list) },
);
const fields = fc.array(field, { maxLength: 6 });

const nested = (depth: number): Field => (depth === 0 ? integer(1n) : list([nested(depth - 1)]));

describe('encodeFields', () => {
  it('is undone by decodeFields', () => {
    fc.assert(
      fc.property(fields, (input) => {
        expect(decodeFields(encodeFields(input))).toEqual(input.map(plain));
      }),
      { numRuns },
    );
  });

  it('gives different bytes to different fields', () => {
    fc.assert(
      fc.property(fields, fields, (one, other) => {
        const same = encodeFields(one).equals(encodeFields(other));
        expect(same).toBe(JSON.stringify(one.map(key)) === JSON.stringify(other.map(key)));
      }),
      { numRuns },
    );
  });

  it('tells where one field ends and the next begins', () => {
    expect(encodeFields([text('ab'), text('c')])).not.toEqual(encodeFields([text('a'), text('bc')]));
    expect(encodeFields([text('a')])).not.toEqual(encodeFields([bytes(Buffer.from('a'))]));
    expect(encodeFields([text('')])).not.toEqual(encodeFields([NULL]));
    expect(encodeFields([list([text('a'), text('b')])])).not.toEqual(encodeFields([text('a'), text('b')]));
  });

  it('takes a value of each type as that', () => {
    const [value, id] = [Uint8Array.of(1), '7d444840-9dc0-41d1-b245-5ffdce74fad2'];
    const fieldsOfAll = [
      text('a'),
      bytes(value),
      integer(1n),
      boolean(false),
      time(new Date(5)),
      uuid(id),
      list([]),
    ];
    expect(fieldsOfAll).toEqual([
      { kind: 'text', value: 'a' },
      { kind: 'bytes', value },
      { kind: 'integer', value: 1n },
      { kind: 'boolean', value: false },
      { kind: 'time', value: new Date(5) },
      { kind: 'uuid', value: id },
      { kind: 'list', value: [] },
    ]);
  });

  it('takes null of each type as NULL', () => {
    for (const nothing of [text(null), bytes(null), integer(null), boolean(null), time(null), uuid(null)]) {
      expect(nothing).toEqual(NULL);
    }
  });

  it.each([
    ['a lone surrogate', text('a\ud800'), 'surrogate'],
    ['an integer past 64 bits', integer(2n ** 63n), 'range'],
    ['an integer below 64 bits', integer(-(2n ** 63n) - 1n), 'range'],
    ['an invalid date', time(new Date(Number.NaN)), 'invalid date'],
    ['an uppercase uuid', uuid('7D444840-9DC0-11D1-B245-5FFDCE74FAD2'), 'uuid'],
    ['a uuid without dashes', uuid('7d4448409dc011d1b2455ffdce74fad2'), 'uuid'],
    ['a uuid with more before it', uuid('x7d444840-9dc0-11d1-b245-5ffdce74fad2'), 'uuid'],
    ['a uuid with more behind it', uuid('7d444840-9dc0-11d1-b245-5ffdce74fad2x'), 'uuid'],
  ])('refuses %s as a bug of the caller', (_, wrong, why) => {
    let caught: unknown;
    try {
      encodeFields([wrong]);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(Error);
    expect(caught).not.toBeInstanceOf(CofferError);
    expect((caught as Error).message).toContain(why);
  });

  it('nests lists eight deep and no deeper, as the decoder does', () => {
    const deepest = encodeFields([nested(8)]);
    expect(encodeFields(decodeFields(deepest))).toEqual(deepest);
    expect(() => encodeFields([nested(9)])).toThrow('nested too deep');
    expectViolation(() => decodeFields(Buffer.concat([Buffer.from([7]), length(deepest), deepest])));
  });
});

describe('encodeMessage', () => {
  it('begins with its domain and its installation, so that no two uses share a message', () => {
    const message = encodeMessage('row', INSTALLATION, [integer(1n)]);
    expect(decodeFields(message)).toEqual([
      text('coffer:row'),
      bytes(Uint8Array.from(INSTALLATION)),
      integer(1n),
    ]);
    expect(message).not.toEqual(encodeMessage('kek', INSTALLATION, [integer(1n)]));
    expect(message).not.toEqual(encodeMessage('row', Buffer.alloc(16, 8), [integer(1n)]));
  });
});

describe('decodeFields', () => {
  it('refuses with one code, or reads exactly one encoding, whatever it is given', () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.tuple(fields, fc.nat(), fc.nat(255)).map(([input, at, value]) => {
        const encoded = encodeFields(input);
        if (encoded.length > 0) encoded[at % encoded.length] = value;
        return new Uint8Array(encoded);
      }),
    );
    fc.assert(
      fc.property(anything, (input) => {
        let decoded: Field[];
        try {
          decoded = decodeFields(input);
        } catch (error) {
          expect(error).toMatchObject({ code: 'integrity_violation' });
          return;
        }
        expect(encodeFields(decoded)).toEqual(Buffer.from(input));
      }),
      { numRuns },
    );
  });

  it.each([
    ['an unknown tag', '0800000000'],
    ['a header cut short', '00000000'],
    ['a value cut short', '020000000261'],
    ['a length past the end', '01ffffffff'],
    ['NULL with a value', '000000000100'],
    ['an integer of 7 bytes', '0300000007' + '00'.repeat(7)],
    ['an integer of 9 bytes', '0300000009' + '00'.repeat(9)],
    ['a boolean of 2', '040000000102'],
    ['a boolean of no bytes', '0400000000'],
    ['a time of 4 bytes', '0500000004' + '00'.repeat(4)],
    ['a time past what a Date holds', '05000000087fffffffffffffff'],
    ['a uuid of 15 bytes', '060000000f' + '00'.repeat(15)],
    ['text that is not UTF-8', '0200000001ff'],
    ['text in overlong UTF-8', '0200000002c080'],
    ['a surrogate in UTF-8', '0200000003eda080'],
    ['a list with half a field', '0700000003000000'],
    ['a byte after the last field', '000000000000'],
  ])('refuses %s', (_, encoded) => {
    expectViolation(() => decodeFields(Buffer.from(encoded, 'hex')));
  });

  it('says why text is not text only in its cause', () => {
    try {
      decodeFields(Buffer.from('0200000001ff', 'hex'));
      expect.unreachable();
    } catch (error) {
      expect((error as Error).cause).toBeInstanceOf(TypeError);
    }
  });

  it('reads a part of a larger memory', () => {
    const memory = Buffer.concat([
      Buffer.alloc(3, 9),
      encodeFields([text('in the middle')]),
      Buffer.alloc(3, 9),
    ]);
    expect(decodeFields(memory.subarray(3, -3))).toEqual([text('in the middle')]);
  });

  it('gives bytes of their own, which no later change of the input touches', () => {
    const encoded = encodeFields([bytes(Uint8Array.of(1, 2, 3))]);
    const decoded = decodeFields(encoded);
    encoded.fill(0);
    expect(decoded).toEqual([bytes(Uint8Array.of(1, 2, 3))]);
  });
});

function length(body: Uint8Array): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(body.length);
  return out;
}

/** Bytes come back as a Uint8Array, whatever went in. */
function plain(input: Field): Field {
  if (input.kind === 'bytes') return { kind: 'bytes', value: Uint8Array.from(input.value) };
  return input.kind === 'list' ? list(input.value.map(plain)) : input;
}

function key(input: Field): unknown {
  if (input.kind === 'null') return ['null'];
  if (input.kind === 'list') return ['list', input.value.map(key)];
  if (input.kind === 'bytes') return ['bytes', Buffer.from(input.value).toString('hex')];
  return [input.kind, input.kind === 'time' ? input.value.getTime() : String(input.value)];
}
