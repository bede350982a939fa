import type { Order } from '../client/index.ts';
import { type Command, type CommandContext, type Flags, stringFlag, UsageError } from './command.ts';
import { connect, connectionFlags } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { readNewPassword } from './hidden-input.ts';
import {
  chooseFormat,
  type Fields,
  type Format,
  formatList,
  formatOne,
  outputFlag,
  printable,
} from './output.ts';
import { confirmByName } from './prompt.ts';
import { parseExpiration } from './secret-store.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env', 'raw'];
const listFormats: readonly Format[] = ['table', 'json', 'yaml', 'raw'];
const columns = ['id', 'name', 'type', 'algorithm', 'bit_length', 'status', 'created'];

function fieldsOf(order: Order): Fields {
  return {
    id: order.id,
    name: order.name,
    type: order.type,
    algorithm: order.algorithm,
    bit_length: order.bitLength,
    mode: order.mode,
    status: order.status,
    created: order.created.toISOString(),
    updated: order.updated.toISOString(),
    creator_id: order.creatorId,
    secret_id: order.secretId,
    container_id: order.containerId,
    error_status_code: order.errorCode,
    error_reason: order.errorReason,
    order_ref: order.ref,
  };
}

function onlyId(context: CommandContext, command: string): string {
  const [text, ...more] = context.positionals;
  if (!text || more.length > 0) throw new UsageError(`${command} takes one order: its id or its reference`);
  return text;
}

const text = (description: string, placeholder: string) =>
  ({ type: 'string', description, placeholder }) as const;

const waiting: Flags = {
  timeout: text('With waiting: give up after so many seconds. Default: 60.', 'SECONDS'),
};

function waitMs(context: CommandContext): number {
  const given = stringFlag(context, 'timeout') ?? '60';
  if (!/^[1-9]\d{0,5}$/.test(given)) throw new UsageError('--timeout takes a number of seconds from 1 on');
  return Number(given) * 1_000;
}

/** An order that ended in ERROR is not what was asked for. */
function showEnd(context: CommandContext, order: Order, format: Format): number {
  context.stdout.write(formatOne(fieldsOf(order), format));
  if (order.status !== 'ERROR') return exitCodes.done;
  context.stderr.write(`coffer: ${printable(order.errorReason ?? 'the order ended in ERROR')}\n`);
  return exitCodes.invalid;
}

async function create(context: CommandContext): Promise<number> {
  const [kind, ...more] = context.positionals;
  if ((kind !== 'key' && kind !== 'asymmetric') || more.length > 0) {
    throw new UsageError('order create takes `key` or `asymmetric`, and flags');
  }
  const algorithm = stringFlag(context, 'algorithm');
  const bits = stringFlag(context, 'bits') ?? '';
  if (algorithm === undefined || !/^[1-9]\d{0,4}$/.test(bits)) {
    throw new UsageError('order create needs --algorithm and --bits, as --algorithm aes --bits 256');
  }
  const [mode, hasPassphrase] = [stringFlag(context, 'mode'), context.values['passphrase'] === true];
  if (kind === 'key' && hasPassphrase) throw new UsageError('--passphrase is for asymmetric orders');
  if (kind === 'asymmetric' && mode !== undefined) throw new UsageError('--mode is for key orders');
  const format = chooseFormat(context, formats);
  const timeout = waitMs(context);
  const passphrase = hasPassphrase
    ? await readNewPassword(context, 'Passphrase of the private key')
    : undefined;
  const name = stringFlag(context, 'name');
  const common = { name, algorithm, bitLength: Number(bits), expiration: parseExpiration(context) };
  const coffer = await connect(context);
  const { id } =
    kind === 'key'
      ? await coffer.orders.createKey({ ...common, mode })
      : await coffer.orders.createPair({ ...common, passphrase });
  if (context.values['wait'] === true) {
    return showEnd(context, await coffer.orders.wait(id, { waitMs: timeout }), format);
  }
  context.stdout.write(formatOne(fieldsOf(await coffer.orders.get(id)), format));
  return exitCodes.done;
}

async function list(context: CommandContext): Promise<number> {
  if (context.positionals.length > 0) throw new UsageError('order list takes flags alone');
  const format = chooseFormat(context, listFormats);
  const coffer = await connect(context);
  const listed: Fields[] = [];
  for await (const order of coffer.orders.list({ meta: stringFlag(context, 'meta') })) {
    listed.push(fieldsOf(order));
  }
  context.stdout.write(formatList(listed, columns, format));
  return exitCodes.done;
}

async function get(context: CommandContext): Promise<number> {
  const order = onlyId(context, 'order get');
  const format = chooseFormat(context, formats);
  const coffer = await connect(context);
  context.stdout.write(formatOne(fieldsOf(await coffer.orders.get(order)), format));
  return exitCodes.done;
}

async function wait(context: CommandContext): Promise<number> {
  const order = onlyId(context, 'order wait');
  const format = chooseFormat(context, formats);
  const timeout = waitMs(context);
  const coffer = await connect(context);
  return showEnd(context, await coffer.orders.wait(order, { waitMs: timeout }), format);
}

async function remove(context: CommandContext): Promise<number> {
  const order = onlyId(context, 'order delete');
  const coffer = await connect(context);
  if (!(await confirmByName(context, order, 'deleting an order; what it made stays'))) {
    context.stderr.write('coffer: not deleted: what was typed is not its id\n');
    return exitCodes.invalid;
  }
  await coffer.orders.delete(order);
  return exitCodes.done;
}

export const commands: readonly Command[] = [
  {
    name: 'order create',
    summary: 'Have the server make a key, or a pair of keys in a container.',
    usage: 'key|asymmetric --algorithm NAME --bits NUMBER [flags]',
    example: 'coffer order create asymmetric --algorithm rsa --bits 4096 --name web --wait',
    flags: {
      algorithm: text('Of a key aes, hmacsha256 …; of a pair rsa, dsa, ec, ed25519.', 'NAME'),
      bits: text('Its length.', 'NUMBER'),
      name: text('The name of what is made.', 'NAME'),
      mode: text('The mode that a key is for, as cbc.', 'MODE'),
      expiration: text('When what is made ends: a time, or a span as 90d, 12h, 30m.', 'WHEN'),
      passphrase: {
        type: 'boolean',
        description:
          'Encrypt the private key: asks for a passphrase on a terminal, else reads standard input.',
      },
      wait: { type: 'boolean', description: 'Wait until it is done.' },
      ...waiting,
      ...outputFlag(formats),
      ...connectionFlags,
    },
    run: create,
  },
  {
    name: 'order list',
    summary: 'List the orders of the project.',
    usage: '[flags]',
    example: `coffer order list --meta '"algorithm": "rsa"'`,
    flags: {
      meta: text('Only orders with this in what they say, as JSON.', 'TEXT'),
      ...outputFlag(listFormats),
      ...connectionFlags,
    },
    run: list,
  },
  {
    name: 'order get',
    summary: 'Show an order, with the id of what it made.',
    usage: 'ID [flags]',
    example: 'coffer order get 3b6c1a52-7d5e-4f0a-9c1b-2a3d4e5f6071',
    flags: { ...outputFlag(formats), ...connectionFlags },
    run: get,
  },
  {
    name: 'order wait',
    summary: 'Wait until an order is done, and show it; ends with 2 when it ended in ERROR.',
    usage: 'ID [flags]',
    example: 'coffer order wait 3b6c1a52-7d5e-4f0a-9c1b-2a3d4e5f6071 --timeout 10',
    flags: { ...waiting, ...outputFlag(formats), ...connectionFlags },
    run: wait,
  },
  {
    name: 'order delete',
    summary: 'Delete an order; what it made stays. Asks on a terminal.',
    usage: 'ID [flags]',
    example: 'coffer order delete 3b6c1a52-7d5e-4f0a-9c1b-2a3d4e5f6071 --yes',
    flags: { yes: { type: 'boolean', description: 'Do not ask.' }, ...connectionFlags },
    run: remove,
  },
];
