import type { RegisteredConsumer, Use } from '../client/index.ts';
import { type Command, type CommandContext, type Flags, stringFlag, UsageError } from './command.ts';
import { connect, connectionFlags } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { chooseFormat, type Fields, type Format, formatList, outputFlag } from './output.ts';
import { containerFlag, findShared, onlyShared } from './share-target.ts';

const listFormats: readonly Format[] = ['table', 'json', 'yaml'];
const ofSecrets = ['service', 'resource_type', 'resource_id', 'created'];
const ofContainers = ['name', 'url', 'created'];

const text = (description: string, placeholder: string) =>
  ({ type: 'string', description, placeholder }) as const;

const consumerFlags: Flags = {
  service: text('Of a secret: the service that uses it, as nova.', 'NAME'),
  type: text('Of a secret: the kind of thing, as server.', 'NAME'),
  resource: text('Of a secret: which one.', 'ID'),
  name: text('Of a container: who uses it.', 'NAME'),
  at: text('Of a container: the address of who uses it.', 'URL'),
};

function needed(context: CommandContext, command: string, names: readonly string[]): string[] {
  const values = names.map((name) => stringFlag(context, name));
  if (values.includes(undefined)) {
    throw new UsageError(`${command} needs ${names.map((name) => `--${name}`).join(', ')}`);
  }
  return values as string[];
}

async function readUse(context: CommandContext, command: string) {
  const target = onlyShared(context, command);
  const isContainer = context.values['container'] === true;
  const [first = '', second = '', third = ''] = isContainer
    ? needed(context, `${command} --container`, ['name', 'at'])
    : needed(context, command, ['service', 'type', 'resource']);
  const coffer = await connect(context);
  const shared = await findShared(coffer, context, target);
  const use: Use =
    'container' in shared
      ? { ...shared, name: first, url: second }
      : { ...shared, service: first, resourceType: second, resourceId: third };
  return { coffer, use };
}

async function add(context: CommandContext): Promise<number> {
  const { coffer, use } = await readUse(context, 'consumer add');
  await coffer.consumers.add(use);
  return exitCodes.done;
}

async function remove(context: CommandContext): Promise<number> {
  const { coffer, use } = await readUse(context, 'consumer remove');
  await coffer.consumers.remove(use);
  return exitCodes.done;
}

function fieldsOf(consumer: RegisteredConsumer): Fields {
  const created = consumer.created.toISOString();
  if (consumer.url !== undefined) return { name: consumer.name ?? null, url: consumer.url, created };
  return {
    service: consumer.service ?? null,
    resource_type: consumer.resourceType ?? null,
    resource_id: consumer.resourceId ?? null,
    created,
  };
}

async function list(context: CommandContext): Promise<number> {
  const target = onlyShared(context, 'consumer list');
  const format = chooseFormat(context, listFormats);
  const coffer = await connect(context);
  const shared = await findShared(coffer, context, target);
  const listed: Fields[] = [];
  for await (const consumer of coffer.consumers.list(shared)) listed.push(fieldsOf(consumer));
  context.stdout.write(formatList(listed, 'container' in shared ? ofContainers : ofSecrets, format));
  return exitCodes.done;
}

const server = 'coffer consumer add db-password --service nova --type server --resource web-1';

export const commands: readonly Command[] = [
  {
    name: 'consumer list',
    summary: 'List who uses a secret or a container.',
    usage: 'ID|NAME [flags]',
    example: 'coffer consumer list db-password',
    flags: { ...containerFlag, ...outputFlag(listFormats), ...connectionFlags },
    run: list,
  },
  {
    name: 'consumer add',
    summary: 'Register who uses it; once, however often.',
    usage: 'ID|NAME --service NAME --type NAME --resource ID [flags]',
    example: server,
    flags: { ...consumerFlags, ...containerFlag, ...connectionFlags },
    run: add,
  },
  {
    name: 'consumer remove',
    summary: 'Remove who used it, by what was registered.',
    usage: 'ID|NAME --service NAME --type NAME --resource ID [flags]',
    example: server.replace('add', 'remove'),
    flags: { ...consumerFlags, ...containerFlag, ...connectionFlags },
    run: remove,
  },
];
