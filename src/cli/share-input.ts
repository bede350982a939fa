import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ShareCollection } from '../keyring/share-collection.ts';
import type { SplitKeyring, WrappingKeys } from '../keyring/split-keyring.ts';
import { CofferError } from '../errors.ts';
import { type CommandContext, type Flags, stringFlag, UsageError } from './command.ts';
import { readHidden } from './hidden-input.ts';
import { readAll } from './prompt.ts';

/** Of every command that opens the installation itself. */
export const sharesFlag: Flags = {
  'shares-from': {
    type: 'string',
    description:
      'Shares of a split keyring, one a line: a file, or - for standard input. Else they are asked for.',
    placeholder: 'FILE',
  },
};

/** The shares in a text: one a line, `#` begins a comment. */
function linesOf(text: Uint8Array): string[] {
  const lines = Buffer.from(text).toString('utf8').split('\n');
  return lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
}

/** All shares that a file holds, or for `-` standard input. */
export async function readShares(
  { stdin, cwd }: CommandContext,
  flag: string,
  path: string,
): Promise<string[]> {
  const bytes = path === '-' ? await readAll(stdin) : await readPrivateFile(flag, resolve(cwd, path));
  try {
    return linesOf(bytes);
  } finally {
    bytes.fill(0);
  }
}

async function readPrivateFile(flag: string, path: string): Promise<Buffer> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`--${flag}: ${path} cannot be read (${error.code})`);
  });
  try {
    const status = await file.stat();
    if (status.isFile() && (status.mode & 0o077) !== 0) {
      throw new CofferError('configuration', `${path} can be read by others. Run: chmod 600 ${path}`);
    }
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/**
 * The keys of split keyrings, from the shares that a file, standard input or people at the terminal give.
 *
 * @throws CofferError `configuration` when they are too few, or nobody can be asked.
 */
export async function askForShares(
  context: CommandContext,
  keyrings: readonly SplitKeyring[],
): Promise<WrappingKeys> {
  const { ShareCollection: Collection } = await import('../keyring/share-collection.ts');
  const collection = new Collection(keyrings);
  try {
    const path = stringFlag(context, 'shares-from');
    if (path !== undefined) await takeFrom(collection, await readShares(context, 'shares-from', path));
    else if (context.stdin.isTTY) await takeTyped(context, collection);
    else throw nobodyToAsk(keyrings);
    if (!collection.isComplete) {
      const { given, threshold } = collection;
      throw new CofferError(
        'configuration',
        `The keyring needs ${threshold} shares, and ${given} were given.`,
      );
    }
    return collection.takeKeys();
  } finally {
    collection.close();
  }
}

async function takeFrom(collection: ShareCollection, shares: readonly string[]): Promise<void> {
  const { parseShare } = await import('../keyring/shares.ts');
  for (const share of shares) {
    if (collection.isComplete) return;
    collection.add(parseShare(share));
  }
}

async function takeTyped(context: CommandContext, collection: ShareCollection): Promise<void> {
  while (!collection.isComplete) {
    const { given, threshold } = collection;
    const typed = await readHidden(context, `Share ${given + 1} of ${threshold} (not shown): `);
    try {
      await takeFrom(collection, [typed]);
    } catch (error) {
      // A mistyped one is asked for again.
      if (!(error instanceof CofferError && error.code === 'bad_request')) throw error;
      context.stderr.write(`${error.message}\n`);
    }
  }
}

function nobodyToAsk(keyrings: readonly SplitKeyring[]): CofferError {
  const [first] = keyrings;
  return new CofferError(
    'configuration',
    `The keyring ${first?.path} is split: any ${first?.threshold} of its ${first?.count} shares open it. ` +
      'Give them on a terminal, by --shares-from FILE, or by --shares-from - on standard input.',
  );
}
