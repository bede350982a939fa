import { type Command, stringFlag, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { readNewPassword } from './hidden-input.ts';
import {
  confirmationFlags,
  enabledFlag,
  enableFlags,
  oneName,
  resolveUser,
  withManagement,
} from './operator.ts';
import { putOnRecord } from './operator-record.ts';
import { chooseFormat, type Format, formatOne, outputFlag } from './output.ts';
import { confirmByName } from './prompt.ts';
import { installationFlags } from './setting-flags.ts';
import { describeUser } from './user-description.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env', 'raw'];

const set: Command = {
  name: 'user set',
  summary: 'Rename, describe, disable or enable a user.',
  usage: 'NAME [flags]',
  example: 'coffer user set ada --disable',
  flags: {
    name: { type: 'string', description: 'Another name.', placeholder: 'NAME' },
    email: { type: 'string', description: 'An address of mail.', placeholder: 'ADDRESS' },
    description: { type: 'string', description: 'Who or what it is.', placeholder: 'TEXT' },
    ...enableFlags,
    ...outputFlag(formats),
    ...installationFlags,
  },
  run: async (context) => {
    const name = oneName(context, 'user set');
    const texts = ['name', 'email', 'description'].map((flag) => [flag, stringFlag(context, flag)] as const);
    const changes = {
      ...Object.fromEntries(texts.filter(([, text]) => text !== undefined)),
      ...enabledFlag(context, 'user set'),
    };
    if (Object.keys(changes).length === 0) throw new UsageError('user set: says what to change');
    const format = chooseFormat(context, formats);
    return await withManagement(context, async (management) => {
      const { updateUser } = await import('../identity/management/users.ts');
      const { id } = await resolveUser(management, name);
      const changed = await updateUser(management, id, async () => changes);
      await putOnRecord(context, 'identity:update_user', id);
      context.stdout.write(formatOne(describeUser(changed), format));
      return exitCodes.done;
    });
  },
};

const password: Command = {
  name: 'user password',
  summary: 'Give a user another password, asked for or piped in. Every token of the user ends.',
  usage: 'NAME [flags]',
  example: 'coffer user password ada',
  flags: installationFlags,
  run: async (context) => {
    if (context.positionals.length > 1) {
      throw new UsageError(
        'user password: one NAME; the password is asked for or piped in, never an argument',
      );
    }
    const name = oneName(context, 'user password');
    const fresh = await readNewPassword(context, `New password of ${name}`);
    return await withManagement(context, async (management) => {
      const { updateUser } = await import('../identity/management/users.ts');
      const { id } = await resolveUser(management, name);
      await updateUser(management, id, async () => ({ password: fresh }));
      await putOnRecord(context, 'identity:change_password', id);
      return exitCodes.done;
    });
  },
};

const remove: Command = {
  name: 'user delete',
  summary: 'Delete a user. The secrets that it stored stay.',
  usage: 'NAME [--yes] [flags]',
  example: 'coffer user delete ada',
  flags: confirmationFlags,
  run: async (context) => {
    const name = oneName(context, 'user delete');
    const what = `This deletes the user ${name} and ends its tokens and applications`;
    if (!(await confirmByName(context, name, what))) return exitCodes.invalid;
    return await withManagement(context, async (management) => {
      const { deleteUser } = await import('../identity/management/users.ts');
      const { id } = await resolveUser(management, name);
      await deleteUser(management, id);
      await putOnRecord(context, 'identity:delete_user', id);
      return exitCodes.done;
    });
  },
};

export const changes: readonly Command[] = [set, password, remove];
