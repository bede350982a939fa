import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { type Fields, formatAssignment, formatList, formatOne } from '../../src/cli/output.ts';

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

it('writes ids alone, one a line, when raw is asked for', () => {
  expect(formatOne(fields, 'raw')).toBe('a1\n');
  expect(formatList([fields, { ...fields, id: 'b2' }], [], 'raw')).toBe('a1\nb2\n');
});
