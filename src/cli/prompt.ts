import type { Readable } from 'node:stream';
import type { ReadStream } from 'node:tty';
import { type CommandContext, UsageError } from './command.ts';

const keys = { interrupt: 3, end: 4, backspace: 8, newline: 10, carriageReturn: 13, clear: 21, delete: 127 };

/** All that a pipe or a file gives, byte for byte. */
export async function readAll(stdin: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk as Uint8Array | string));
  const all = Buffer.concat(chunks);
  for (const chunk of chunks) chunk.fill(0);
  return all;
}

/** Takes away the last character, which may be several bytes of UTF-8. */
function dropCharacter(typed: number[]): void {
  let byte = typed.pop();
  while (byte !== undefined && (byte & 0xc0) === 0x80) byte = typed.pop();
}

/** A line typed on the terminal, shown only if `echo`. Ctrl-C ends the process as it does elsewhere. */
async function readLine(stdin: ReadStream, echo: boolean): Promise<Buffer> {
  if (!echo) stdin.setRawMode(true);
  const typed: number[] = [];
  return new Promise<Buffer>((resolve, reject) => {
    const finish = (): void => {
      stdin.off('data', take);
      stdin.off('end', finish);
      stdin.off('error', reject);
      if (!echo) stdin.setRawMode(false);
      stdin.pause();
      resolve(Buffer.from(typed));
      typed.fill(0);
    };
    const take = (chunk: Buffer): void => {
      for (const byte of chunk) {
        if (byte === keys.newline || byte === keys.carriageReturn || byte === keys.end) return finish();
        if (byte === keys.interrupt) {
          finish();
          process.kill(process.pid, 'SIGINT');
        } else if (byte === keys.backspace || byte === keys.delete) dropCharacter(typed);
        else if (byte === keys.clear) typed.length = 0;
        else typed.push(byte);
      }
    };
    stdin.on('data', take);
    stdin.on('end', finish);
    stdin.on('error', reject);
    stdin.resume();
  });
}

/** Asks on the terminal's error stream, so that standard output stays clean, and does not show what is typed. */
export async function promptHidden(context: CommandContext, question: string): Promise<Buffer> {
  context.stderr.write(`${question}: `);
  const line = await readLine(context.stdin as ReadStream, false);
  context.stderr.write('\n');
  return line;
}

/** A password: typed on a terminal, else the first line of standard input. */
export async function readPassword(context: CommandContext, question: string): Promise<string> {
  const bytes = context.stdin.isTTY ? await promptHidden(context, question) : await readAll(context.stdin);
  const text = bytes.toString('utf8').replace(/\r?\n$/, '');
  bytes.fill(0);
  if (text === '') throw new UsageError('the password is empty: type it at the prompt or pipe it in');
  return text;
}

/** What destroys goes on when the name was typed on a terminal, or with --yes. Resolves to false when it was not. */
export async function confirmByName(context: CommandContext, name: string, what: string): Promise<boolean> {
  if (context.values['yes'] === true) return true;
  if (!context.stdin.isTTY) throw new UsageError(`${what} needs --yes when nobody can be asked`);
  context.stderr.write(`${what}. Type ${name} to go on: `);
  const typed = await readLine(context.stdin as ReadStream, true);
  return typed.toString('utf8').trim() === name;
}
