import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import type { HandOver } from '../keyring/split-file.ts';
import { type Command, type CommandContext, stringFlag, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { chooseFormat, type Format, formatList, outputFlag } from './output.ts';
import { installationFlags, loadSettings } from './setting-flags.ts';
import { askForShares } from './share-input.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'raw'];

const create: Command = {
  name: 'keyring create',
  summary: 'Make a keyring with one new master key. A keyring that exists is never overwritten.',
  usage: '[FILE] [--split K/N] [flags]',
  example: 'coffer keyring create /etc/coffer/keys --split 3/5',
  flags: {
    'installation-of': {
      type: 'string',
      description: 'A keyring of the installation that this one is another secret store of.',
      placeholder: 'FILE',
    },
    split: {
      type: 'string',
      description: 'Encrypt it under a key that is split: any K of N shares open it. They are printed once.',
      placeholder: 'K/N',
    },
    ...outputFlag(formats),
    ...installationFlags,
  },
  run: async (context) => {
    const [file, ...more] = context.positionals;
    if (more.length > 0) throw new UsageError('keyring create: one FILE at most');
    const path = keyringPath(context, file);
    const split = await splitOf(stringFlag(context, 'split'));
    const { createKeyringFile } = await import('../keyring/keyring-file.ts');
    const { INSTALLATION_BYTES, nameMasterKey } = await import('../keyring/master-keys.ts');
    const installationId = (await readInstallation(context)) ?? randomBytes(INSTALLATION_BYTES);
    const masterKeyId = nameMasterKey(new Date());
    if (split === undefined) {
      await createKeyringFile(path, masterKeyId, installationId);
      context.stdout.write(
        `Made the keyring ${path}, mode 0600.\n` +
          'Without it every secret is lost: keep a copy, and never where the database or its backups are.\n',
      );
      return exitCodes.done;
    }
    const { createSplitKeyringFile } = await import('../keyring/split-file.ts');
    await createSplitKeyringFile(path, masterKeyId, { split, installationId, handOver: printer(context) });
    context.stderr.write(
      `Made the keyring ${path}, mode 0600. Without it, or with fewer than ${split.threshold} shares, every secret is lost.\n`,
    );
    return exitCodes.done;
  },
};

const split: Command = {
  name: 'keyring split',
  summary:
    'Split the key of a keyring, in clear or split before, and print the new shares once. Master keys stay; older shares do not open the file any more.',
  usage: '[FILE] K/N [flags]',
  example: 'coffer keyring split /etc/coffer/keys 3/5',
  flags: { ...outputFlag(formats), ...installationFlags },
  run: async (context) => {
    const { positionals } = context;
    if (positionals.length < 1 || positionals.length > 2) throw new UsageError('keyring split: [FILE] K/N');
    const path = keyringPath(context, positionals.length === 2 ? positionals[0] : undefined);
    const wanted = (await splitOf(positionals.at(-1))) ?? { threshold: 0, count: 0 };
    const { keyringFileAt, readInstallationId } = await import('../keyring/keyring-file.ts');
    const { findSplitKeyring, splitAnew, splitKeyringAt } = await import('../keyring/split-file.ts');
    const installationId = await readInstallationId(path);
    const before = await findSplitKeyring(path);
    const keys = before === undefined ? new Map<string, Uint8Array>() : await askForShares(context, [before]);
    try {
      const place = before === undefined ? keyringFileAt(path) : splitKeyringAt(path, keys);
      await splitAnew(place, installationId, { split: wanted, handOver: printer(context) });
    } finally {
      for (const key of keys.values()) key.fill(0);
    }
    context.stderr.write(
      `Split the keyring ${path}: any ${wanted.threshold} of ${wanted.count} shares open it. ` +
        'Copies of the file from before still open as they did: destroy them.\n',
    );
    return exitCodes.done;
  },
};

function keyringPath(context: CommandContext, file: string | undefined): string {
  const values = file === undefined ? context.values : { ...context.values, 'keyring-file': file };
  return loadSettings({ ...context, values }).config.keyringFile;
}

async function splitOf(written: string | undefined) {
  if (written === undefined) return undefined;
  const { parseSplit } = await import('../keyring/split-keyring.ts');
  try {
    return parseSplit(written);
  } catch (error) {
    throw error instanceof Error ? new UsageError(`keyring: ${error.message}`) : error;
  }
}

/** Prints the shares, each once, and resolves when whoever reads them has them. */
function printer(context: CommandContext): HandOver {
  const format = chooseFormat(context, formats);
  return async (shares) => {
    const rows = shares.map((share, index) => {
      return { share: index + 1, of: shares.length, value: Buffer.from(share).toString('ascii') };
    });
    if (context.stdout.isTTY) {
      context.stderr.write(
        'Give each share to another person. They are shown this once, and kept nowhere.\n',
      );
    }
    const text =
      format === 'raw'
        ? rows.map(({ value }) => `${value}\n`).join('')
        : formatList(rows, ['share', 'of', 'value'], format);
    await new Promise<void>((done, failed) => {
      context.stdout.write(text, (error) => (error ? failed(error) : done()));
    });
  };
}

async function readInstallation(context: CommandContext): Promise<Uint8Array | undefined> {
  const file = stringFlag(context, 'installation-of');
  if (file === undefined) return undefined;
  const { readInstallationId } = await import('../keyring/keyring-file.ts');
  return await readInstallationId(resolve(context.cwd, file));
}

export const commands: readonly Command[] = [create, split];
