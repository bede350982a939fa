import type { Coffer, SecretStore } from '../client/index.ts';
import { type Command, type CommandContext, UsageError } from './command.ts';
import { connect, connectionFlags } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { chooseFormat, type Fields, type Format, formatList, formatOne, outputFlag } from './output.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env', 'raw'];
const listFormats: readonly Format[] = ['table', 'json', 'yaml', 'raw'];

function fieldsOf({ id, name, isDefault, plugin }: SecretStore): Fields {
  return { id, name, default: isDefault ? 'yes' : 'no', plugin };
}

function noPositionals(context: CommandContext, command: string): void {
  if (context.positionals.length > 0) throw new UsageError(`${command} takes flags alone`);
}

async function list(context: CommandContext): Promise<number> {
  noPositionals(context, 'store list');
  const format = chooseFormat(context, listFormats);
  const coffer = await connect(context);
  const stores = (await coffer.secretStores.list()).map(fieldsOf);
  context.stdout.write(formatList(stores, ['id', 'name', 'default', 'plugin'], format));
  return exitCodes.done;
}

function showing(name: string, read: (coffer: Coffer) => Promise<SecretStore>): Command['run'] {
  return async (context) => {
    noPositionals(context, name);
    const format = chooseFormat(context, formats);
    const store = await read(await connect(context));
    context.stdout.write(formatOne(fieldsOf(store), format));
    return exitCodes.done;
  };
}

async function prefer(context: CommandContext): Promise<number> {
  const [store, ...more] = context.positionals;
  if (!store || more.length > 0) throw new UsageError('store prefer takes one STORE: its name or its id');
  const coffer = await connect(context);
  await coffer.secretStores.prefer(store);
  return exitCodes.done;
}

async function unprefer(context: CommandContext): Promise<number> {
  noPositionals(context, 'store unprefer');
  const coffer = await connect(context);
  await coffer.secretStores.unprefer();
  return exitCodes.done;
}

export const commands: readonly Command[] = [
  {
    name: 'store list',
    summary: 'List the secret stores of the server.',
    usage: '[flags]',
    example: 'coffer store list',
    flags: { ...outputFlag(listFormats), ...connectionFlags },
    run: list,
  },
  {
    name: 'store default',
    summary: 'Show the store where secrets of projects go that prefer none.',
    usage: '[flags]',
    example: 'coffer store default -o json',
    flags: { ...outputFlag(formats), ...connectionFlags },
    run: showing('store default', async (coffer) => await coffer.secretStores.default()),
  },
  {
    name: 'store preferred',
    summary: 'Show the store where new secrets of your project go by its own choice.',
    usage: '[flags]',
    example: 'coffer store preferred -o raw',
    flags: { ...outputFlag(formats), ...connectionFlags },
    run: showing('store preferred', async (coffer) => await coffer.secretStores.preferred()),
  },
  {
    name: 'store prefer',
    summary: 'Have new secrets of your project go to a store; older ones stay where they are.',
    usage: 'STORE [flags]',
    example: 'coffer store prefer second',
    flags: connectionFlags,
    run: prefer,
  },
  {
    name: 'store unprefer',
    summary: 'Have new secrets of your project go to the default store again.',
    usage: '[flags]',
    example: 'coffer store unprefer',
    flags: connectionFlags,
    run: unprefer,
  },
];
