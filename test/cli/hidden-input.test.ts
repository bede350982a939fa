import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { type CommandContext, UsageError } from '../../src/cli/command.ts';
import { readHidden, readNewPassword } from '../../src/cli/hidden-input.ts';

function makeContext(stdin: CommandContext['stdin']) {
  const stderr = new PassThrough();
  const context = {
    values: {},
    positionals: [],
    rest: undefined,
    env: {},
    cwd: '/',
    stdout: stderr,
  } as const;
  return { context: { ...context, stdin, stderr }, printed: () => String(stderr.read() ?? '') };
}

function onTerminal(...keys: string[]) {
  const modes: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (raw: boolean) => modes.push(raw),
  });
  for (const key of keys) stdin.write(key);
  return { ...makeContext(stdin), modes };
}

const piped = (...chunks: Uint8Array[]) => makeContext(Readable.from(chunks));

describe('a hidden value', () => {
  it('is typed without an echo, and the terminal is as before', async () => {
    const { context, printed, modes } = onTerminal('can', 'ary', '\r');
    expect(await readHidden(context, 'Value: ')).toBe('canary');
    expect(printed()).toBe('Value: \n');
    expect(modes).toEqual([true, false]);
  });

  it('is edited by whole characters', async () => {
    const { context } = onTerminal('aé\u007f\u007f\u007f\u007fb€c\b\bd\n');
    expect(await readHidden(context, '')).toBe('bd');
  });

  it.each(['\u0003', '\u0004', 'abc\u0003'])('is given up with Ctrl-C or Ctrl-D', async (keys) => {
    const { context, modes } = onTerminal(keys);
    await expect(readHidden(context, '')).rejects.toThrow(UsageError);
    expect(modes).toEqual([true, false]);
  });

  it('is all of a pipe but the newline at its end', async () => {
    const bytes = Buffer.from(' pä ss\n\n');
    expect(await readHidden(piped(bytes.subarray(0, 3), bytes.subarray(3)).context, '')).toBe(' pä ss\n');
    expect(await readHidden(piped(Buffer.from('x\r\n')).context, '')).toBe('x');
  });

  it('is refused when it is no text, or has no end', async () => {
    await expect(readHidden(piped(Buffer.of(0xff)).context, '')).rejects.toThrow('no text in UTF-8');
    await expect(readHidden(piped(Buffer.alloc(65_537, 97)).context, '')).rejects.toThrow('too long');
  });
});

describe('a new password', () => {
  it('is typed twice on a terminal, and both must be equal', async () => {
    expect(await readNewPassword(onTerminal('long enough yes\rlong enough yes\r').context, 'Password')).toBe(
      'long enough yes',
    );
    await expect(readNewPassword(onTerminal('one\rother\r').context, 'Password')).rejects.toThrow('differ');
  });

  it('may be short, with a warning that does not show it, and never empty', async () => {
    const { context, printed } = piped(Buffer.from('demo\n'));
    expect(await readNewPassword(context, 'Password')).toBe('demo');
    expect(printed()).toBe('Warning: the password is shorter than 12 characters.\n');
    await expect(readNewPassword(piped(Buffer.from('\n')).context, 'Password')).rejects.toThrow('is empty');
  });
});
