import { format, inspect } from 'node:util';
import { expect, it } from 'vitest';
import { SecretValue } from '../../src/client/index.ts';

const canary = 'canary-value-5d21';
const valueOf = (text: string): SecretValue => new SecretValue('db-password', new TextEncoder().encode(text));

it('gives the value through bytes() and text() alone', () => {
  const value = valueOf(canary);
  expect(value.text()).toBe(canary);
  expect(Buffer.from(value.bytes()).toString()).toBe(canary);
  expect(value.length).toBe(canary.length);
});

it('prints its name and never its value', () => {
  const value = valueOf(canary);
  const coerced = value as unknown as string;
  const printed = [
    inspect(value),
    inspect({ deep: [value] }, { depth: 9, showHidden: true, getters: true }),
    inspect(value, { customInspect: false, showHidden: true, depth: 9 }),
    format('%s %j %o %O', value, value, value, value),
    String(value),
    `<${coerced}>`,
    'x'.concat(coerced),
    JSON.stringify({ value }),
    JSON.stringify(Object.entries(value)),
    JSON.stringify(Object.assign({}, value)),
    JSON.stringify(structuredClone(value)),
    inspect(Object.getOwnPropertyDescriptors(value)),
    new Error(String(value)).stack ?? '',
  ];
  const hidden = [canary, Buffer.from(canary).toString('hex'), Buffer.from(canary).toString('base64')];
  for (const text of printed) {
    for (const form of hidden) expect(text).not.toContain(form);
    expect(text).not.toMatch(/99, ?97, ?110/);
  }
  expect(inspect(value)).toBe('[secret db-password]');
  expect(JSON.stringify({ value })).toBe('{"value":"[secret db-password]"}');
});

it('gives copies, so that changing one changes nothing else', () => {
  const value = valueOf(canary);
  value.bytes().fill(0);
  expect(value.text()).toBe(canary);
});

it('is overwritten and refuses use after wipe()', () => {
  const bytes = new TextEncoder().encode(canary);
  const value = new SecretValue('n', bytes);
  value.wipe();
  value.wipe();
  expect(bytes.every((byte) => byte === 0)).toBe(true);
  expect(() => value.bytes()).toThrow(expect.objectContaining({ code: 'wiped' }));
  expect(() => value.text()).toThrow(expect.objectContaining({ code: 'wiped' }));
});

it('says that bytes are no text instead of changing them', () => {
  const value = new SecretValue('n', new Uint8Array([0xff, 0xfe]));
  expect(() => value.text()).toThrow(expect.objectContaining({ code: 'not_text' }));
  expect(new SecretValue('n', new Uint8Array([0xef, 0xbb, 0xbf, 0x61])).text()).toBe('\ufeffa');
});
