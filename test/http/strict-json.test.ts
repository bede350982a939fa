import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseStrictJson } from '../../src/http/strict-json.ts';
import { CofferError } from '../../src/errors.ts';

const parse = (text: string) => parseStrictJson(Buffer.from(text));
const malformed = expect.objectContaining({ code: 'bad_request', message: 'Malformed JSON' });

it.each([
  ['nothing', ''],
  ['blanks', ' \n'],
  ['no JSON', 'hello'],
  ['a cut object', '{"a":1'],
  ['a comma too many', '{"a":1,}'],
  ['single quotes', "{'a':1}"],
  ['NaN', '{"a":NaN}'],
  ['a byte order mark', '\ufeff{}'],
  ['two values', '{}{}'],
  ['a comment', '{/* */}'],
  ['a raw control character', '{"a":"\u0001"}'],
  ['an escaped NUL in a string', '{"a":"x\\u0000y"}'],
  ['an escaped NUL in a key', '{"\\u0000":1}'],
  ['a NUL deep inside', '{"a":[{"b":["\\u0000"]}]}'],
  ['a lone surrogate in a string', '{"a":"\\ud800"}'],
  ['a lone surrogate in a key', '{"\\udc00":1}'],
  ['surrogates in the wrong order', '{"a":"\\udc00\\ud800"}'],
  ['a key that is a prototype', '{"__proto__":{"admin":true}}'],
  ['one written in escapes', '{"\\u005f_proto__":1}'],
  ['a prototype by its constructor', '{"a":{"constructor":{"prototype":{}}}}'],
  ['33 levels of arrays', '['.repeat(33) + ']'.repeat(33)],
  ['33 levels of objects', '{"a":'.repeat(33) + '1' + '}'.repeat(33)],
  ['10,000 levels', '['.repeat(10_000) + ']'.repeat(10_000)],
])('refuses %s', (_what, text) => {
  expect(() => parse(text)).toThrow(malformed);
});

it.each([
  ['a lone continuation', [0x22, 0x80, 0x22]],
  ['an overlong NUL', [0x22, 0xc0, 0x80, 0x22]],
  ['a surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22]],
  ['a cut sequence', [0x22, 0xe2, 0x82, 0x22]],
  ['UTF-16', [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]],
])('refuses %s, which is no UTF-8, without a word', (_what, bytes) => {
  expect(() => parseStrictJson(Uint8Array.from(bytes))).toThrow(
    expect.objectContaining({ code: 'bad_request', message: '' }),
  );
});

it('takes what means one thing', () => {
  expect(parse('{"a":1e2,"b":256.0,"c":-0.5,"d":null,"e":true}')).toEqual({
    a: 100,
    b: 256,
    c: -0.5,
    d: null,
    e: true,
  });
  expect(parse('{"a":1,"a":2}')).toEqual({ a: 2 });
  expect(parse('"\\ud83d\\ude00 é"')).toBe('😀 é');
  expect(parse('{"constructor":"x","prototype":{}}')).toEqual({ constructor: 'x', prototype: {} });
  expect(parse('['.repeat(32) + ']'.repeat(32))).toBeInstanceOf(Array);
  expect(parse('[]')).toEqual([]);
});

it('takes a NUL where it is told to, and nothing else that it refuses', () => {
  const parseWithNul = (text: string) => parseStrictJson(Buffer.from(text), { allowsNul: true });
  expect(parseWithNul('{"a":"x\\u0000y","b":["\\u0000"]}')).toEqual({ a: 'x\0y', b: ['\0'] });
  for (const text of ['{"a":"\0"}', '{"a":"\\u0000\\ud800"}', '{"__proto__":"\\u0000"}', '\\u0000']) {
    expect(() => parseWithNul(text)).toThrow(malformed);
  }
});

it('reads every JSON value back, or refuses it as malformed', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 20 }), (value) => {
      const text = JSON.stringify(value);
      const sound = !/\\u0000|__proto__|\\ud[89a-f]/.test(text);
      if (sound) expect(parse(text)).toEqual(JSON.parse(text));
    }),
  );
});

it('never fails in any other way, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        parseStrictJson(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(CofferError);
      }
    }),
    { numRuns: 2_000 },
  );
});
