import { type Command, stringFlag, UsageError } from './command.ts';
import { findProjectId, paceFlags, rotateWanted } from './kek.ts';
import { installationFlags } from './setting-flags.ts';
import { withInstallation } from './with-installation.ts';

const migrate: Command = {
  name: 'backend migrate',
  summary:
    'Move the keys of projects from one secret store to another: a rotation into it, while everything goes on.',
  usage: '--from STORE --to STORE [--project PROJECT] [flags]',
  example: 'coffer backend migrate --from software --to hsm',
  flags: {
    from: { type: 'string', description: 'The store that is left.', placeholder: 'STORE' },
    to: { type: 'string', description: 'The store that is used from now on.', placeholder: 'STORE' },
    project: { type: 'string', description: 'One project, by name or id.', placeholder: 'PROJECT' },
    ...paceFlags,
    ...installationFlags,
  },
  run: async (context) => {
    const [from, to, project] = ['from', 'to', 'project'].map((flag) => stringFlag(context, flag));
    if (from === undefined || to === undefined || from === to || context.positionals.length > 0) {
      throw new UsageError('backend migrate: --from STORE and --to another STORE');
    }
    return await withInstallation(context, { allowEmpty: false }, async (parts, config) => {
      const { keyring } = parts;
      const { names } = keyring.stores;
      const unknown = [from, to].find((name) => keyring.stores.find(name) === undefined);
      if (unknown !== undefined) {
        throw new UsageError(`backend migrate: there is no store ${unknown}; there are: ${names.join(', ')}`);
      }
      const projectIds = project === undefined ? undefined : [await findProjectId(parts, project)];
      return await rotateWanted(context, parts, config, {
        projectIds,
        olderThanSeconds: null,
        from: keyring.stores.namesOf(keyring.stores.get(from)),
        to,
      });
    });
  },
};

export const commands: readonly Command[] = [migrate];
