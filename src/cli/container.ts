import type { ContainerFilter, ContainerType } from '../client/index.ts';
import { type Command, type CommandContext, listFlag, stringFlag, UsageError } from './command.ts';
import { connect, connectionFlags } from './connection.ts';
import { fieldsOf, findContainer, formatContainer, readSlots, secretFlag } from './container-lookup.ts';
import { exitCodes } from './exit-codes.ts';
import { chooseFormat, type Fields, type Format, formatList, outputFlag, printable } from './output.ts';
import { confirmByName } from './prompt.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env', 'raw'];
const listFormats: readonly Format[] = ['table', 'json', 'yaml', 'raw'];
const types: readonly ContainerType[] = ['generic', 'rsa', 'certificate'];
const PAGE_SIZE = 100;

/** The one id, reference or name that a command is about. */
function onlyPositional({ positionals: [text, ...more] }: CommandContext, command: string): string {
  if (!text || more.length > 0) {
    throw new UsageError(`${command} takes one container: its id, its reference or its name`);
  }
  return text;
}

function parseType(context: CommandContext): Exclude<ContainerType, 'dsa'> | undefined {
  const text = stringFlag(context, 'type');
  const type = types.find((known) => known === text);
  if (text !== undefined && type === undefined) throw new UsageError(`--type is one of ${types.join(', ')}`);
  return type as Exclude<ContainerType, 'dsa'> | undefined;
}

async function create(context: CommandContext): Promise<number> {
  const [name, ...more] = context.positionals;
  if (more.length > 0) throw new UsageError('container create takes one NAME, and secrets by --secret');
  const format = chooseFormat(context, formats);
  const type = parseType(context);
  const coffer = await connect(context);
  const slots = await readSlots(coffer, context);
  if (new Set(slots.map(([slot]) => slot)).size !== slots.length) {
    throw new UsageError('--secret names one slot twice; coffer container add puts several under one name');
  }
  const { id } = await coffer.containers.create({ name, type, secrets: Object.fromEntries(slots) });
  context.stdout.write(formatContainer(await coffer.containers.get(id), format));
  return exitCodes.done;
}

async function list(context: CommandContext): Promise<number> {
  if (context.positionals.length > 0) throw new UsageError('container list takes flags alone');
  const format = chooseFormat(context, listFormats);
  const limit = parseLimit(context);
  const filter: ContainerFilter = {
    name: stringFlag(context, 'name'),
    type: stringFlag(context, 'type') as ContainerType | undefined,
    pageSize: Math.min(limit, PAGE_SIZE),
  };
  const coffer = await connect(context);
  const listed: Fields[] = [];
  for await (const container of coffer.containers.list(filter)) {
    listed.push(fieldsOf(container));
    if (listed.length >= limit) break;
  }
  context.stdout.write(formatList(listed, ['id', 'name', 'type', 'created', 'secrets'], format));
  return exitCodes.done;
}

function parseLimit(context: CommandContext): number {
  const text = stringFlag(context, 'limit');
  if (text === undefined) return Infinity;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new UsageError('--limit takes a number from 1 on');
  return Number(text);
}

async function get(context: CommandContext): Promise<number> {
  const text = onlyPositional(context, 'container get');
  const format = chooseFormat(context, formats);
  const coffer = await connect(context);
  const { id } = await findContainer(coffer, text);
  context.stdout.write(formatContainer(await coffer.containers.get(id), format));
  return exitCodes.done;
}

async function remove(context: CommandContext): Promise<number> {
  const text = onlyPositional(context, 'container delete');
  const coffer = await connect(context);
  const { id } = await findContainer(coffer, text);
  if (context.values['yes'] !== true) {
    const name = context.stdin.isTTY ? (await coffer.containers.get(id)).name : null;
    const what = `deleting the container ${id} leaves its secrets`;
    if (!(await confirmByName(context, printable(name || id), what))) {
      context.stderr.write('coffer: not deleted: what was typed is not its name\n');
      return exitCodes.invalid;
    }
  }
  await coffer.containers.delete(id);
  return exitCodes.done;
}

/** Each secret by itself: those before one that is refused stay done. */
function change(verb: 'add' | 'remove'): Command['run'] {
  return async (context) => {
    const text = onlyPositional(context, `container ${verb}`);
    if (listFlag(context, 'secret').length === 0) {
      throw new UsageError(`container ${verb} needs --secret SLOT=SECRET`);
    }
    const format = chooseFormat(context, formats);
    const coffer = await connect(context);
    const { id } = await findContainer(coffer, text);
    for (const [slot, secretId] of await readSlots(coffer, context)) {
      if (verb === 'add') await coffer.containers.addSecret(id, secretId, slot);
      else await coffer.containers.removeSecret(id, secretId, slot);
    }
    context.stdout.write(formatContainer(await coffer.containers.get(id), format));
    return exitCodes.done;
  };
}

const text = (description: string, placeholder: string) =>
  ({ type: 'string', description, placeholder }) as const;

export const commands: readonly Command[] = [
  {
    name: 'container create',
    summary: 'Put secrets together: a key with its certificate, or any others.',
    usage: '[NAME] [--type TYPE] [--secret SLOT=ID|NAME…] [flags]',
    example:
      'coffer container create site --type certificate --secret certificate=site-cert --secret private_key=site-key',
    flags: {
      type: text(`${types.join(', ')}; generic when left out.`, 'TYPE'),
      secret: secretFlag,
      ...outputFlag(formats),
      ...connectionFlags,
    },
    run: create,
  },
  {
    name: 'container list',
    summary: 'List the containers of the project.',
    usage: '[flags]',
    example: "coffer container list --type certificate --name 'site-%'",
    flags: {
      name: text('Only these names; % stands for any text, _ for one character.', 'PATTERN'),
      type: text('Only containers of this type.', 'TYPE'),
      limit: text('At most so many.', 'NUMBER'),
      ...outputFlag(listFormats),
      ...connectionFlags,
    },
    run: list,
  },
  {
    name: 'container get',
    summary: 'Show a container: its secrets by id, never their values.',
    usage: 'ID|NAME [flags]',
    example: 'coffer container get site -o json',
    flags: { ...outputFlag(formats), ...connectionFlags },
    run: get,
  },
  {
    name: 'container delete',
    summary: 'Delete a container and leave its secrets; asks for its name on a terminal.',
    usage: 'ID|NAME [flags]',
    example: 'coffer container delete site --yes',
    flags: { yes: { type: 'boolean', description: 'Do not ask.' }, ...connectionFlags },
    run: remove,
  },
  {
    name: 'container add',
    summary: 'Add secrets to a generic container.',
    usage: 'ID|NAME --secret SLOT=ID|NAME… [flags]',
    example: 'coffer container add site --secret next_key=site-key-2027',
    flags: { secret: secretFlag, ...outputFlag(formats), ...connectionFlags },
    run: change('add'),
  },
  {
    name: 'container remove',
    summary: 'Take secrets out of a container; they stay where they are stored.',
    usage: 'ID|NAME --secret SLOT=ID|NAME… [flags]',
    example: 'coffer container remove site --secret next_key=site-key-2027',
    flags: { secret: secretFlag, ...outputFlag(formats), ...connectionFlags },
    run: change('remove'),
  },
];
