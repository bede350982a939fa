import { type Command, listFlag, stringFlag, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { readNewPassword } from './hidden-input.ts';
import { chooseFormat, type Format, formatOne, outputFlag } from './output.ts';
import { installationFlags } from './setting-flags.ts';
import { withInstallation } from './with-installation.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env', 'raw'];

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
      context.stdout.write(formatOne(shown, format));
      return exitCodes.done;
    });
  },
};

export const commands: readonly Command[] = [create];
