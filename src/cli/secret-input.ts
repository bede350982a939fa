import { randomBytes, randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type CommandContext, stringFlag, UsageError } from './command.ts';
import { readHidden } from './hidden-input.ts';
import { readAll } from './prompt.ts';

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const digits = '0123456789';
const charsets: Readonly<Record<string, string>> = {
  alnum: letters + digits,
  ascii: `${letters}${digits}!#$%&()*+,-./:;<=>?@[]^_{|}~`,
  base64url: `${letters}${digits}-_`,
  digits,
  hex: '0123456789abcdef',
};
const GENERATED_MAX = 15_000;

/** `LENGTH[:CHARSET]`: so many characters, each as likely as the others, or so many random bytes. */
export function generateValue(wish: string): Buffer {
  const [, length, charset = 'alnum'] = /^(\d{1,5})(?::(\w+))?$/.exec(wish) ?? [];
  const count = Number(length);
  const characters = Object.hasOwn(charsets, charset) ? charsets[charset] : undefined;
  if (!(count >= 1 && count <= GENERATED_MAX) || (characters === undefined && charset !== 'bytes')) {
    const known = [...Object.keys(charsets), 'bytes'].join(', ');
    throw new UsageError(`--generate takes LENGTH or LENGTH:CHARSET, as 32:hex; charsets are ${known}`);
  }
  if (characters === undefined) return randomBytes(count);
  const picked = Array.from({ length: count }, () => characters.charCodeAt(randomInt(characters.length)));
  const value = Buffer.from(picked);
  picked.fill(0);
  return value;
}

async function readValueFile(context: CommandContext, path: string): Promise<Buffer> {
  try {
    return await readFile(resolve(context.cwd, path));
  } catch (error) {
    throw new UsageError(`--from-file: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** The value from the one place that the command line names: never from an argument. */
export async function readValue(context: CommandContext): Promise<Buffer> {
  const path = stringFlag(context, 'from-file');
  const wish = stringFlag(context, 'generate');
  if (path !== undefined && wish !== undefined) throw new UsageError('--from-file or --generate, not both');
  if (wish !== undefined) return generateValue(wish);
  if (path !== undefined) return readValueFile(context, path);
  if (context.stdin.isTTY) {
    const typed = Buffer.from(await readHidden(context, 'Value (not shown): '));
    if (typed.length === 0) throw new UsageError('the value is empty');
    return typed;
  }
  const piped = await readAll(context.stdin);
  if (piped.length === 0) {
    throw new UsageError(
      'standard input is empty: pipe the value in, or use --from-file FILE or --generate 32',
    );
  }
  if (piped.at(-1) === 10 && piped.indexOf(10) === piped.length - 1) {
    context.stderr.write('coffer: the value ends with a newline, which is stored; printf %s leaves it out\n');
  }
  return piped;
}

/**
 * Text when it reads as such, so that other clients show it: UTF-8 without control characters but tab and
 * line ends.
 */
export function isPlainText(bytes: Uint8Array): boolean {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return !/[^\P{Cc}\t\n\r]/u.test(text);
  } catch {
    return false;
  }
}
