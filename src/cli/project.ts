import { type Command, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { chooseFormat, type Format, formatOne, outputFlag } from './output.ts';
import { installationFlags } from './setting-flags.ts';
import { withInstallation } from './with-installation.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env', 'raw'];

const create: Command = {
  name: 'project create',
  summary: "Open a project, on the server's machine. A server that runs knows it at once.",
  usage: 'NAME [flags]',
  example: 'coffer project create shop',
  flags: { ...outputFlag(formats), ...installationFlags },
  run: async (context) => {
    const [name, ...more] = context.positionals;
    if (name === undefined || more.length > 0) throw new UsageError('project create: one NAME');
    const format = chooseFormat(context, formats);
    return await withInstallation(context, { allowEmpty: false }, async (parts) => {
      const { createProject } = await import('../identity/administration.ts');
      const project = await createProject(parts, name);
      context.stdout.write(formatOne({ id: project.id, name: project.name }, format));
      return exitCodes.done;
    });
  },
};

export const commands: readonly Command[] = [create];
