import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, expect, it } from 'vitest';
import { type CommandContext, UsageError } from '../../src/cli/command.ts';
import { confirmByName } from '../../src/cli/prompt.ts';
import { generateValue, isPlainText, readValue } from '../../src/cli/secret-input.ts';

const cwd = mkdtempSync(join(tmpdir(), 'coffer-input-'));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

function contextOf(values: CommandContext['values'], stdin: CommandContext['stdin'] = Readable.from([])) {
  const stderr = new PassThrough();
  const context: CommandContext = {
    values,
    positionals: [],
    rest: undefined,
    env: {},
    cwd,
    stdin,
    stdout: new PassThrough(),
    stderr,
  };
  return { context, told: () => String(stderr.read() ?? '') };
}

it('generates values of the wished length from the wished characters, all of them', () => {
  expect(generateValue('40').toString()).toMatch(/^[A-Za-z0-9]{40}$/);
  expect(generateValue('64:hex').toString()).toMatch(/^[0-9a-f]{64}$/);
  expect(generateValue('32:bytes')).toHaveLength(32);
  const digits = generateValue('5000:digits').toString();
  expect(new Set(digits)).toEqual(new Set('0123456789'));
  expect(generateValue('40').equals(generateValue('40'))).toBe(false);
});

it.each(['', '0', '-1', '99999', 'x', '8:', '8:nothing', '8:constructor', '8:hex:hex'])(
  'refuses to generate %j',
  (wish) => {
    expect(() => generateValue(wish)).toThrow(UsageError);
  },
);

it('takes bytes of a pipe and of a file as they are', async () => {
  const bytes = Buffer.from([0, 255, 10, 13, 10]);
  writeFileSync(join(cwd, 'value'), bytes);
  expect(
    await readValue(contextOf({}, Readable.from([bytes.subarray(0, 2), bytes.subarray(2)])).context),
  ).toEqual(bytes);
  expect(await readValue(contextOf({ 'from-file': 'value' }).context)).toEqual(bytes);
});

it('says that the newline of an echo is stored', async () => {
  const { context, told } = contextOf({}, Readable.from([Buffer.from('canary\n')]));
  expect((await readValue(context)).toString()).toBe('canary\n');
  expect(told()).toMatch(/newline/);
  expect(told()).not.toContain('canary');
});

it('types a value on a terminal without showing it', async () => {
  const modes: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (raw: boolean) => modes.push(raw),
  });
  stdin.write('typed\r');
  const { context, told } = contextOf({}, stdin);
  expect((await readValue(context)).toString()).toBe('typed');
  expect(modes).toEqual([true, false]);
  expect(told()).not.toContain('typed');
});

it('refuses an empty pipe, a missing file and two sources', async () => {
  const refused = [{}, { 'from-file': 'missing' }, { 'from-file': 'value', generate: '8' }];
  for (const values of refused)
    await expect(readValue(contextOf(values).context)).rejects.toThrow(UsageError);
});

it('takes for text what is UTF-8 without control characters', () => {
  for (const text of ['a', 'ä\t€\r\n', '-----BEGIN X-----\n'])
    expect(isPlainText(Buffer.from(text))).toBe(true);
  for (const bytes of [[0], [0xff], [0x1b, 0x5b], [0xc2, 0x85]])
    expect(isPlainText(Uint8Array.from(bytes))).toBe(false);
});

it('destroys after the name was typed or with --yes, and asks for --yes where nobody can be asked', async () => {
  const typing = (text: string) => Object.assign(Readable.from([Buffer.from(text)]), { isTTY: true });
  expect(await confirmByName(contextOf({}, typing('db\n')).context, 'db', 'gone')).toBe(true);
  expect(await confirmByName(contextOf({}, typing('other\n')).context, 'db', 'gone')).toBe(false);
  expect(await confirmByName(contextOf({}, typing('')).context, 'db', 'gone')).toBe(false);
  expect(await confirmByName(contextOf({ yes: true }).context, 'db', 'gone')).toBe(true);
  await expect(confirmByName(contextOf({}).context, 'db', 'gone')).rejects.toThrow('--yes');
});
