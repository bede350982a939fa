import { type CommandContext, UsageError } from './command.ts';

const INPUT_BYTES_MAX = 64 * 1024;

interface Terminal {
  setRawMode?: (raw: boolean) => unknown;
}

/**
 * One hidden value: typed without echo on a terminal, else all of standard input without the newline at its
 * end. Never from an argument, where other users of the machine would see it.
 */
export async function readHidden(context: CommandContext, question: string): Promise<string> {
  return context.stdin.isTTY ? await promptHidden(context, question) : await readPiped(context);
}

/** A password to be set: on a terminal typed twice. */
export async function readNewPassword(context: CommandContext, question: string): Promise<string> {
  const password = await readHidden(context, `${question}: `);
  if (password === '') throw new UsageError('The password is empty. Type it, or give it on standard input');
  if (context.stdin.isTTY && password !== (await readHidden(context, `${question} again: `))) {
    throw new UsageError('The two passwords differ. Nothing was changed');
  }
  if ([...new Intl.Segmenter().segment(password)].length < 12) {
    context.stderr.write('Warning: the password is shorter than 12 characters.\n');
  }
  return password;
}

async function readPiped({ stdin }: CommandContext): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
    const bytes = Buffer.from(chunk as string);
    chunks.push(bytes);
    length += bytes.length;
    if (length > INPUT_BYTES_MAX) throw new UsageError('Standard input is too long');
  }
  return decode(Buffer.concat(chunks)).replace(/\r?\n$/, '');
}

async function promptHidden({ stdin, stderr }: CommandContext, question: string): Promise<string> {
  const terminal = stdin as typeof stdin & Terminal;
  stderr.write(question);
  terminal.setRawMode?.(true);
  try {
    return decode(await readLine(stdin));
  } finally {
    terminal.setRawMode?.(false);
    stderr.write('\n');
  }
}

const ENTER = [0x0a, 0x0d];
const END = [0x03, 0x04];
const ERASE = [0x08, 0x7f];

/** The bytes of a terminal in raw mode, up to Enter. */
async function readLine(stdin: CommandContext['stdin']): Promise<Buffer> {
  return await new Promise((resolve, reject) => {
    let typed = Buffer.alloc(0);
    const stop = (settle: () => void): void => {
      stdin.off('data', take).off('end', giveUp).pause();
      settle();
    };
    const giveUp = (): void => stop(() => reject(new UsageError('Stopped. Nothing was changed')));
    const take = (chunk: Buffer): void => {
      for (const [index, key] of chunk.entries()) {
        if (ENTER.includes(key)) {
          // What was pasted behind the line belongs to the next question.
          const behind = chunk.subarray(index + 1);
          stop(() => {
            if (behind.length > 0) stdin.unshift(behind);
            resolve(typed);
          });
          return;
        }
        if (END.includes(key)) {
          giveUp();
          return;
        }
        if (ERASE.includes(key)) typed = dropLast(typed);
        else typed = Buffer.concat([typed, Buffer.of(key)]);
      }
    };
    stdin.on('data', take).on('end', giveUp).resume();
  });
}

/** Without its last character, which may be several bytes of UTF-8. */
function dropLast(typed: Buffer): Buffer<ArrayBuffer> {
  let end = Math.max(typed.length - 1, 0);
  while (end > 0 && ((typed[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return Buffer.from(typed.subarray(0, end));
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UsageError('What was given is no text in UTF-8');
  }
}
