import { type Command, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { installationFlags, loadSettings } from './setting-flags.ts';

const create: Command = {
  name: 'keyring create',
  summary: 'Make a keyring with one new master key. A keyring that exists is never overwritten.',
  usage: '[FILE] [flags]',
  example: 'coffer keyring create /etc/coffer/keys',
  flags: installationFlags,
  run: async (context) => {
    const [file, ...more] = context.positionals;
    if (more.length > 0) throw new UsageError('keyring create: one FILE at most');
    const values = file === undefined ? context.values : { ...context.values, 'keyring-file': file };
    const { config } = loadSettings({ ...context, values });
    const { createKeyringFile } = await import('../keyring/master-keys.ts');
    await createKeyringFile(config.keyringFile, nameMasterKey(new Date()));
    context.stdout.write(
      `Made the keyring ${config.keyringFile}, mode 0600.\n` +
        'Without it every secret is lost: keep a copy, and never where the database or its backups are.\n',
    );
    return exitCodes.done;
  },
};

/** The day of its making tells a key from the ones that follow it. */
function nameMasterKey(now: Date): string {
  return `mk-${now.toISOString().slice(0, 10)}`;
}

export const commands: readonly Command[] = [create];
