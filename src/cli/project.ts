import type { ProjectRow } from '../db/schema.ts';
import { type Command, stringFlag, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import {
  confirmationFlags,
  enabledFlag,
  enableFlags,
  oneName,
  resolveProject,
  withManagement,
} from './operator.ts';
import { putOnRecord } from './operator-record.ts';
import { chooseFormat, type Fields, type Format, formatList, formatOne, outputFlag } from './output.ts';
import { shred } from './project-shred.ts';
import { confirmByName } from './prompt.ts';
import { installationFlags } from './setting-flags.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env', 'raw'];
const listFormats: readonly Format[] = ['table', 'json', 'yaml', 'raw'];
const descriptionFlag = {
  description: { type: 'string', description: 'What it is for.', placeholder: 'TEXT' },
} as const;

const create: Command = {
  name: 'project create',
  summary: "Open a project, on the server's machine. A server that runs knows it at once.",
  usage: 'NAME [flags]',
  example: 'coffer project create shop',
  flags: { ...descriptionFlag, ...outputFlag(formats), ...installationFlags },
  run: async (context) => {
    const name = oneName(context, 'project create');
    const format = chooseFormat(context, formats);
    const description = stringFlag(context, 'description') ?? null;
    return await withManagement(context, async (management) => {
      const { createProject } = await import('../identity/management/projects.ts');
      const project = await createProject(management, async () => ({ name, description }));
      await putOnRecord(context, 'identity:create_project', project.id);
      context.stdout.write(formatOne({ id: project.id, name: project.name }, format));
      return exitCodes.done;
    });
  },
};

const list: Command = {
  name: 'project list',
  summary: 'List the projects.',
  usage: '[flags]',
  example: 'coffer project list -o json',
  flags: { ...outputFlag(listFormats), ...installationFlags },
  run: async (context) => {
    if (context.positionals.length > 0) throw new UsageError('project list: takes flags alone');
    const format = chooseFormat(context, listFormats);
    return await withManagement(context, async (management) => {
      const { LIST_MAX } = await import('../identity/management/filters.ts');
      const { listProjects } = await import('../identity/management/projects.ts');
      const projects: ProjectRow[] = [];
      for (let marker: string | undefined = ''; marker !== undefined; ) {
        const page = await listProjects(management, { limit: LIST_MAX, marker });
        projects.push(...page.rows);
        marker = page.next;
      }
      const fields = projects.map(describe).sort((a, b) => (String(a['name']) < String(b['name']) ? -1 : 1));
      context.stdout.write(formatList(fields, ['id', 'name', 'enabled', 'description'], format));
      return exitCodes.done;
    });
  },
};

const show: Command = {
  name: 'project show',
  summary: 'Show a project.',
  usage: 'NAME [flags]',
  example: 'coffer project show shop',
  flags: { ...outputFlag(formats), ...installationFlags },
  run: async (context) => {
    const name = oneName(context, 'project show');
    const format = chooseFormat(context, formats);
    return await withManagement(context, async (management) => {
      context.stdout.write(formatOne(describe(await resolveProject(management, name)), format));
      return exitCodes.done;
    });
  },
};

const set: Command = {
  name: 'project set',
  summary: 'Rename, describe, disable or enable a project.',
  usage: 'NAME [flags]',
  example: 'coffer project set shop --disable',
  flags: {
    name: { type: 'string', description: 'Another name.', placeholder: 'NAME' },
    ...descriptionFlag,
    ...enableFlags,
    ...outputFlag(formats),
    ...installationFlags,
  },
  run: async (context) => {
    const name = oneName(context, 'project set');
    const [newName, description] = [stringFlag(context, 'name'), stringFlag(context, 'description')];
    const changes = {
      ...(newName === undefined ? {} : { name: newName }),
      ...(description === undefined ? {} : { description }),
      ...enabledFlag(context, 'project set'),
    };
    if (Object.keys(changes).length === 0) throw new UsageError('project set: says what to change');
    const format = chooseFormat(context, formats);
    return await withManagement(context, async (management) => {
      const { updateProject } = await import('../identity/management/projects.ts');
      const { id } = await resolveProject(management, name);
      const changed = await updateProject(management, id, async () => changes);
      await putOnRecord(context, 'identity:update_project', id);
      context.stdout.write(formatOne(describe(changed), format));
      return exitCodes.done;
    });
  },
};

const remove: Command = {
  name: 'project delete',
  summary: 'Delete a project with every secret in it. There is no way back.',
  usage: 'NAME [--yes] [flags]',
  example: 'coffer project delete shop',
  flags: confirmationFlags,
  run: async (context) => {
    const name = oneName(context, 'project delete');
    const what = `This deletes the project ${name} and every secret, container and order in it`;
    if (!(await confirmByName(context, name, what))) return exitCodes.invalid;
    return await withManagement(context, async (management) => {
      const { deleteProject } = await import('../identity/management/projects.ts');
      const { deleteProject: destroy, PROJECT_DELETION } = await import('../projects/deletion.ts');
      const { wakeNodes } = await import('../worker/worker.ts');
      const { id } = await resolveProject(management, name);
      // Nobody gets in from now on; the rest is a server's job.
      await deleteProject(management, id, async () => await destroy({ ...management, wake: () => {} }, id));
      await putOnRecord(context, 'identity:delete_project', id);
      await wakeNodes(management.db, PROJECT_DELETION);
      return exitCodes.done;
    });
  },
};

function describe({ id, name, enabled, description, created }: ProjectRow): Fields {
  return { id, name, enabled: String(enabled), description, created: created.toISOString() };
}

export const commands: readonly Command[] = [create, list, show, set, remove, shred];
