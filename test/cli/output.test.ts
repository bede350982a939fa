import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { UsageError } from '../../src/cli/command.ts';
import { type Fields, formatAssignment, formatJson, formatList, formatOne } from '../../src/cli/output.ts';

const hostile = "it's \u001b[31mred\u001b[0m\r\n$(id) `id` \u202e";
const fields: Fields = { id: 'a1', name: hostile, bit_length: 256, expiration: null };

it('lets no escape sequence, line end or turned text of a name reach a table', () => {
  for (const text of [formatOne(fields, 'table'), formatList([fields], ['id', 'name'], 'table')]) {
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{C}/u);
    expect(text).toContain("it's red");
  }
  expect(formatList([fields], ['id', 'name'], 'table').split('\n')).toHaveLength(3);
});

it('writes JSON and YAML from which the same comes back', () => {
  expect(JSON.parse(formatOne(fields, 'json'))).toEqual(fields);
  expect(JSON.parse(formatList([fields, fields], [], 'json'))).toEqual([fields, fields]);
  // each value is a JSON string, number or null, which is YAML as well
  const lines = formatOne(fields, 'yaml').trimEnd().split('\n');
  const read = lines.map((line) => [
    line.split(': ')[0],
    JSON.parse(line.slice(line.indexOf(':') + 1)) as unknown,
  ]);
  expect(Object.fromEntries(read)).toEqual(fields);
  expect(formatList([fields], [], 'yaml')).toMatch(/^- id: "a1"\n {2}name: /);
  expect(formatList([], [], 'yaml')).toBe('[]\n');
});

it('writes assignments that a shell reads as they were, whatever they hold', () => {
  const value = 'a\'b"c$(id)`id`\\\n;rm *';
  const script = `${formatAssignment('X', value)}printf %s "$X"`;
  expect(execFileSync('sh', ['-c', script]).toString()).toBe(value);
});

/** Control characters of both sets, turned and hidden text, line ends of Unicode, a tag past U+FFFF. */
const rogue = "-\u001b]0;x\u0007\u007f\u009b2J\u202e\u200b\u2028\u2029\u{e0041}\r%s\\n'é😀\t";
const UNSAFE = /(?![\t\n])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

it('escapes in JSON what a terminal could act on, and the same comes back', () => {
  const odd = { id: 'a1', name: rogue };
  const nested = { ...odd, metadata: { [rogue]: [rogue] } };
  for (const text of [formatOne(odd, 'json'), formatList([odd], [], 'json'), formatJson(nested)]) {
    expect(text).not.toMatch(UNSAFE);
  }
  expect(JSON.parse(formatOne(odd, 'json'))).toEqual(odd);
  expect(JSON.parse(formatList([odd], [], 'json'))).toEqual([odd]);
  expect(JSON.parse(formatJson(nested))).toEqual(nested);
  expect(formatOne(odd, 'json')).toContain('\\u009b2J\\u202e');
});

it('escapes it in YAML by escapes of YAML, which has none of surrogates', () => {
  const odd = { id: 'a1', name: rogue };
  for (const text of [formatOne(odd, 'yaml'), formatList([odd], [], 'yaml')]) {
    expect(text).not.toMatch(UNSAFE);
    expect(text).toContain('\\u009b2J\\u202e');
    expect(text).toContain('\\U000e0041');
    const quoted = /name: (".*")/.exec(text)?.[1] ?? '';
    // JSON has all of its escapes but that one.
    expect(JSON.parse(quoted.replace('\\U000e0041', '\u{e0041}'))).toBe(rogue);
  }
});

it.each(['sh', 'bash'])('writes assignments that %s reads as they were, and a terminal as text', (shell) => {
  for (const value of [rogue, `${rogue}\n\n`, '\u001b', '\u001b_', '-n\u0085', '%d\u001b7\u001b00']) {
    const line = formatAssignment('X', value);
    expect(line).not.toMatch(UNSAFE);
    const script = `set -eu\n${line}printf %s_ "$X"`;
    expect(execFileSync(shell, ['-c', script]).toString()).toBe(`${value}_`);
  }
  expect(formatOne({ id: 'a1', name: rogue }, 'env')).not.toMatch(UNSAFE);
});

it('writes ids alone, one a line, when raw is asked for', () => {
  expect(formatOne(fields, 'raw')).toBe('a1\n');
  expect(formatList([fields, { ...fields, id: 'b2' }], [], 'raw')).toBe('a1\nb2\n');
});

it('writes no id alone that holds what is no text', () => {
  for (const id of ['a\u001b[2J', 'a\nb', 'a\u202eb', 'a\u009bb']) {
    expect(() => formatOne({ id }, 'raw')).toThrow(UsageError);
    expect(() => formatList([fields, { id }], [], 'raw')).toThrow('-o json');
  }
  expect(formatOne({ id: 'é 1' }, 'raw')).toBe('é 1\n');
});
