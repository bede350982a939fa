import { resolve } from 'node:path';
import { type Command, type CommandContext, stringFlag, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { installationFlags, loadSettings } from './setting-flags.ts';

const create: Command = {
  name: 'keyring create',
  summary: 'Make a keyring with one new master key. A keyring that exists is never overwritten.',
  usage: '[FILE] [flags]',
  example: 'coffer keyring create /etc/coffer/keys',
  flags: {
    'installation-of': {
      type: 'string',
      description: 'A keyring of the installation that this one is another secret store of.',
      placeholder: 'FILE',
    },
    ...installationFlags,
  },
  run: async (context) => {
    const [file, ...more] = context.positionals;
    if (more.length > 0) throw new UsageError('keyring create: one FILE at most');
    const values = file === undefined ? context.values : { ...context.values, 'keyring-file': file };
    const { config } = loadSettings({ ...context, values });
    const { createKeyringFile } = await import('../keyring/keyring-file.ts');
    const { nameMasterKey } = await import('../keyring/master-keys.ts');
    const installationId = await readInstallation(context);
    await createKeyringFile(config.keyringFile, nameMasterKey(new Date()), installationId);
    context.stdout.write(
      `Made the keyring ${config.keyringFile}, mode 0600.\n` +
        'Without it every secret is lost: keep a copy, and never where the database or its backups are.\n',
    );
    return exitCodes.done;
  },
};

async function readInstallation(context: CommandContext): Promise<Uint8Array | undefined> {
  const file = stringFlag(context, 'installation-of');
  if (file === undefined) return undefined;
  const { readInstallationId } = await import('../keyring/keyring-file.ts');
  return await readInstallationId(resolve(context.cwd, file));
}

export const commands: readonly Command[] = [create];
