import { CofferError } from '../errors.ts';
import { type Command, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { installationFlags } from './setting-flags.ts';
import { withInstallation } from './with-installation.ts';

const bootstrap: Command = {
  name: 'bootstrap',
  summary: 'Make the system keys and the first administrator, once in the life of an installation.',
  usage: '[flags]',
  example: 'coffer keyring create && coffer migrate && coffer bootstrap',
  flags: installationFlags,
  run: async (context) => {
    if (context.positionals.length > 0) throw new UsageError('bootstrap: takes flags alone');
    return await withInstallation(context, { allowEmpty: true }, async (installation, config) => {
      const { bootstrapAdministrator } = await import('../bootstrap.ts');
      const openrc = await bootstrapAdministrator(config, installation);
      if (openrc === undefined) {
        throw new CofferError('conflict', 'There is an administrator already. Nothing was changed');
      }
      context.stdout.write(
        `Made the administrator 'admin' in the project 'admin'.\nTo log in: . ${openrc}\n`,
      );
      return exitCodes.done;
    });
  },
};

export const commands: readonly Command[] = [bootstrap];
