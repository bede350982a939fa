import type { Limits, ProjectLimits, QuotaResource } from '../client/index.ts';
import { type Command, type CommandContext, UsageError } from './command.ts';
import { connect, connectionFlags } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { chooseFormat, type Fields, type Format, formatList, formatOne, outputFlag } from './output.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env', 'raw'];
const listFormats: readonly Format[] = ['table', 'json', 'yaml', 'raw'];
/** What holds in one's own project has no id. */
const effectiveFormats: readonly Format[] = ['table', 'json', 'yaml', 'env'];
const RESOURCES: readonly QuotaResource[] = ['secrets', 'orders', 'containers', 'consumers'];

function fieldsOf({ projectId, ...limits }: ProjectLimits): Fields {
  return { id: projectId, ...limits };
}

async function show(context: CommandContext): Promise<number> {
  const [project, ...more] = context.positionals;
  const all = context.values['all'] === true;
  if (more.length > 0 || (all && project !== undefined)) {
    throw new UsageError('quota show takes one PROJECT, or --all, or neither');
  }
  const ofOne = project === undefined ? effectiveFormats : formats;
  const format = chooseFormat(context, all ? listFormats : ofOne);
  const coffer = await connect(context);
  if (all) {
    const listed: Fields[] = [];
    for await (const limits of coffer.quotas.list()) listed.push(fieldsOf(limits));
    context.stdout.write(formatList(listed, ['id', ...RESOURCES], format));
    return exitCodes.done;
  }
  const fields =
    project === undefined
      ? { ...(await coffer.quotas.effective()) }
      : fieldsOf(await coffer.quotas.get(project));
  context.stdout.write(formatOne(fields, format));
  return exitCodes.done;
}

function parseLimits(texts: readonly string[]): Partial<Limits> {
  const limits: Partial<Limits> = {};
  for (const text of texts) {
    const [, name, digits] = /^([a-z]+)=(-?\d{1,10})$/.exec(text) ?? [];
    const resource = RESOURCES.find((known) => known === name);
    if (resource === undefined) {
      throw new UsageError(`quota set takes ${RESOURCES.join('=N, ')}=N; -1 is no limit`);
    }
    limits[resource] = Number(digits);
  }
  return limits;
}

async function set(context: CommandContext): Promise<number> {
  const [project, ...texts] = context.positionals;
  if (!project || texts.length === 0) throw new UsageError('quota set takes a PROJECT and limits');
  const limits = parseLimits(texts);
  const format = chooseFormat(context, formats);
  const coffer = await connect(context);
  await coffer.quotas.set(project, limits);
  context.stdout.write(formatOne(fieldsOf(await coffer.quotas.get(project)), format));
  return exitCodes.done;
}

async function unset(context: CommandContext): Promise<number> {
  const [project, ...more] = context.positionals;
  if (!project || more.length > 0) throw new UsageError('quota unset takes one PROJECT');
  const coffer = await connect(context);
  await coffer.quotas.unset(project);
  return exitCodes.done;
}

export const commands: readonly Command[] = [
  {
    name: 'quota show',
    summary:
      'Show the limits that hold in your project, those of a project, or with --all of all that have some.',
    usage: '[PROJECT] [flags]',
    example: 'coffer quota show',
    flags: {
      all: { type: 'boolean', description: 'List the projects that have limits of their own.' },
      ...outputFlag(formats),
      ...connectionFlags,
    },
    run: show,
  },
  {
    name: 'quota set',
    summary: 'Set limits of a project, by its id; those not named stay. -1 is no limit, 0 allows none.',
    usage: 'PROJECT RESOURCE=NUMBER… [flags]',
    example: 'coffer quota set 5a1e2b3c4d5e6f708192a3b4c5d6e7f8 secrets=1000 orders=500',
    flags: { ...outputFlag(formats), ...connectionFlags },
    run: set,
  },
  {
    name: 'quota unset',
    summary: "Take a project's own limits away: the defaults hold again.",
    usage: 'PROJECT [flags]',
    example: 'coffer quota unset 5a1e2b3c4d5e6f708192a3b4c5d6e7f8',
    flags: connectionFlags,
    run: unset,
  },
];
