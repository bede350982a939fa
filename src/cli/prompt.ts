import type { Readable } from 'node:stream';
import { type CommandContext, UsageError } from './command.ts';

/** All that a pipe or a file gives, byte for byte. */
export async function readAll(stdin: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin as AsyncIterable<Buffer | string>)
    chunks.push(Buffer.from(chunk as string));
  const all = Buffer.concat(chunks);
  for (const chunk of chunks) chunk.fill(0);
  return all;
}

/** What a person types up to Enter; the terminal itself shows and edits it. */
async function readFirstLine(stdin: Readable): Promise<string> {
  return await new Promise((resolve, reject) => {
    let typed = '';
    const finish = (): void => {
      stdin.off('data', take).off('end', finish).off('error', reject).pause();
      resolve(typed.split('\n')[0] ?? '');
    };
    const take = (chunk: Buffer): void => {
      typed += chunk.toString('utf8');
      if (typed.includes('\n')) finish();
    };
    stdin.on('data', take).on('end', finish).on('error', reject).resume();
  });
}

/**
 * What destroys goes on when the name was typed on a terminal, or with --yes. Resolves to false when it was
 * not.
 */
export async function confirmByName(context: CommandContext, name: string, what: string): Promise<boolean> {
  if (context.values['yes'] === true) return true;
  if (!context.stdin.isTTY) throw new UsageError(`${what}: add --yes when nobody can be asked`);
  context.stderr.write(`${what}. Type ${name} to go on: `);
  const isConfirmed = (await readFirstLine(context.stdin)).trim() === name;
  if (!isConfirmed) context.stderr.write(`That is not ${name}: nothing was changed.\n`);
  return isConfirmed;
}
