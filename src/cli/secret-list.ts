import type { SecretFilter, SecretType } from '../client/index.ts';
import { type Command, type CommandContext, stringFlag, UsageError } from './command.ts';
import { connect, connectionFlags } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { chooseFormat, type Fields, type Format, formatList, outputFlag } from './output.ts';
import { fieldsOf } from './secret-lookup.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'raw'];
const columns = ['id', 'name', 'secret_type', 'created', 'expiration'];
const PAGE_SIZE = 100;

function parseLimit(context: CommandContext): number {
  const text = stringFlag(context, 'limit');
  if (text === undefined) return Infinity;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new UsageError('--limit takes a number from 1 on');
  return Number(text);
}

async function run(context: CommandContext): Promise<number> {
  if (context.positionals.length > 0)
    throw new UsageError('secret list takes flags alone, as --name PATTERN');
  const format = chooseFormat(context, formats);
  const limit = parseLimit(context);
  const filter: SecretFilter = {
    name: stringFlag(context, 'name'),
    type: stringFlag(context, 'type') as SecretType | undefined,
    sort: stringFlag(context, 'sort'),
    sharedWithMe: context.values['shared'] === true,
    pageSize: Math.min(limit, PAGE_SIZE),
  };
  const coffer = await connect(context);
  const listed: Fields[] = [];
  for await (const secret of coffer.secrets.list(filter)) {
    listed.push(fieldsOf(secret));
    if (listed.length >= limit) break;
  }
  context.stdout.write(formatList(listed, columns, format));
  return exitCodes.done;
}

const text = (description: string, placeholder: string) =>
  ({ type: 'string', description, placeholder }) as const;

export const listCommand: Command = {
  name: 'secret list',
  summary: 'List the secrets of the project, without their values.',
  usage: '[flags]',
  example: "coffer secret list --name 'db-%' --sort created:desc",
  flags: {
    name: text('Only these names; % stands for any text, _ for one character.', 'PATTERN'),
    type: text('Only secrets of this type.', 'TYPE'),
    sort: text('As name or created:desc,name.', 'KEYS'),
    limit: text('At most so many.', 'NUMBER'),
    shared: { type: 'boolean', description: 'Secrets of other projects that their owners share with you.' },
    ...outputFlag(formats),
    ...connectionFlags,
  },
  run,
};
