import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lengthOf, repr, stripText } from '../../src/http/python-text.ts';

describe('repr', () => {
  it.each([
    [null, 'None'],
    [true, 'True'],
    [false, 'False'],
    [5, '5'],
    [1.5, '1.5'],
    [1e-7, '1e-07'],
    [1e100, '1e+100'],
    ['', "''"],
    ['a', "'a'"],
    ["it's", '"it\'s"'],
    ['"', "'\"'"],
    [`'"`, `'\\'"'`],
    ['a\\b\n\r\t', "'a\\\\b\\n\\r\\t'"],
    ['\0\x1f\x7f\x80\xa0\xad', "'\\x00\\x1f\\x7f\\x80\\xa0\\xad'"],
    ['\u200b\u2028\ufeff', "'\\u200b\\u2028\\ufeff'"],
    ['é漢😀', "'é漢😀'"],
    ['\u{e0001}', "'\\U000e0001'"],
    [['a', 1, null], "['a', 1, None]"],
    [{ a: { b: [] } }, "{'a': {'b': []}}"],
  ])('writes %j as Python does', (value, text) => {
    expect(repr(value)).toBe(text);
  });

  it('cuts what is long', () => {
    expect(repr('x'.repeat(5000)).length).toBe(1025);
  });
});

describe('stripText', () => {
  it('takes what Python takes and keeps a byte order mark', () => {
    expect(stripText('\x1c\x85\u3000\t a b \n\xa0\u2029')).toBe('a b');
    expect(stripText('\ufeff a')).toBe('\ufeff a');
    expect(stripText(' \n ')).toBe('');
  });

  it('is idempotent and leaves the inside alone', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const once = stripText(text);
        expect(stripText(once)).toBe(once);
        expect(text).toContain(once);
      }),
    );
  });

  it('takes linear time for white space inside', () => {
    const started = performance.now();
    stripText(`a${' '.repeat(1_000_000)}b`);
    // A second look at each blank would take many minutes.
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

it('counts code points', () => {
  expect(lengthOf('a😀é')).toBe(3);
});
