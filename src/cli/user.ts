import type { UserRow } from '../db/schema.ts';
import { type Command, listFlag, stringFlag, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { readNewPassword } from './hidden-input.ts';
import { oneName, resolveUser, withManagement } from './operator.ts';
import { putOnRecord } from './operator-record.ts';
import { chooseFormat, type Format, formatList, formatOne, outputFlag } from './output.ts';
import { installationFlags } from './setting-flags.ts';
import { changes } from './user-changes.ts';
import { describeUser } from './user-description.ts';
import { withInstallation } from './with-installation.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env', 'raw'];
const listFormats: readonly Format[] = ['table', 'json', 'yaml', 'raw'];

const create: Command = {
  name: 'user create',
  summary:
    "Make a user with roles in a project, on the server's machine. The password is asked for, or piped in.",
  usage: 'NAME --project PROJECT --role ROLE… [flags]',
  example: 'coffer user create ada --project shop --role creator --role member',
  flags: {
    project: {
      type: 'string',
      description: 'The project that the roles are for.',
      placeholder: 'PROJECT',
    },
    role: { type: 'string', multiple: true, description: 'A role; repeat it for more.', placeholder: 'ROLE' },
    ...outputFlag(formats),
    ...installationFlags,
  },
  run: async (context) => {
    const [name, ...more] = context.positionals;
    const projectName = stringFlag(context, 'project');
    const roleNames = [...new Set(listFlag(context, 'role'))];
    if (name === undefined) throw new UsageError('user create: needs a NAME');
    if (more.length > 0) {
      throw new UsageError('user create: one NAME; the password is asked for or piped in, never an argument');
    }
    if (projectName === undefined || roleNames.length === 0) {
      throw new UsageError(
        'user create: needs --project and at least one --role, without which a user may do nothing',
      );
    }
    const format = chooseFormat(context, formats);
    const { createPasswordHasher, PASSWORD_BYTES_MAX } = await import('../crypto/password.ts');
    const password = await readNewPassword(context, `Password of ${name}`);
    if (Buffer.byteLength(password) > PASSWORD_BYTES_MAX) {
      throw new UsageError(`user create: a password has ${PASSWORD_BYTES_MAX} bytes at most`);
    }
    return await withInstallation(context, { allowEmpty: false }, async (parts) => {
      const { createUser, getProject, getRole } = await import('../identity/administration.ts');
      const { untilCurrent } = await import('../identity/assignments.ts');
      const passwords = createPasswordHasher();
      const shown = await untilCurrent(async () => {
        const project = await getProject(parts, projectName);
        const scope = { kind: 'project', id: project.id } as const;
        const grants = await Promise.all(
          roleNames.map(async (role) => ({ scope, project, role: await getRole(parts, role) })),
        );
        const user = await createUser(parts, passwords, name, password, { grants });
        return { id: user.id, name: user.name, project: project.name, roles: roleNames.join(',') };
      });
      await putOnRecord(context, 'identity:create_user', shown.id);
      context.stdout.write(formatOne(shown, format));
      return exitCodes.done;
    });
  },
};

const list: Command = {
  name: 'user list',
  summary: 'List the users.',
  usage: '[flags]',
  example: 'coffer user list -o json',
  flags: { ...outputFlag(listFormats), ...installationFlags },
  run: async (context) => {
    if (context.positionals.length > 0) throw new UsageError('user list: takes flags alone');
    const format = chooseFormat(context, listFormats);
    return await withManagement(context, async (management) => {
      const { LIST_MAX } = await import('../identity/management/filters.ts');
      const { listUsers } = await import('../identity/management/users.ts');
      const users: UserRow[] = [];
      for (let marker: string | undefined = ''; marker !== undefined; ) {
        const page = await listUsers(management, { limit: LIST_MAX, marker });
        users.push(...page.rows);
        marker = page.next;
      }
      const fields = users.map(describeUser).sort((a, b) => (String(a['name']) < String(b['name']) ? -1 : 1));
      context.stdout.write(formatList(fields, ['id', 'name', 'enabled', 'email'], format));
      return exitCodes.done;
    });
  },
};

const show: Command = {
  name: 'user show',
  summary: 'Show a user. For the roles: coffer role assignments --user NAME.',
  usage: 'NAME [flags]',
  example: 'coffer user show ada',
  flags: { ...outputFlag(formats), ...installationFlags },
  run: async (context) => {
    const name = oneName(context, 'user show');
    const format = chooseFormat(context, formats);
    return await withManagement(context, async (management) => {
      context.stdout.write(formatOne(describeUser(await resolveUser(management, name)), format));
      return exitCodes.done;
    });
  },
};

export const commands: readonly Command[] = [create, list, show, ...changes];
