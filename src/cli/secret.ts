import { type CommandContext, type Command, UsageError } from './command.ts';
import { connect, connectionFlags } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { chooseFormat, type Format, formatJson, formatOne, outputFlag, printable } from './output.ts';
import { confirmByName } from './prompt.ts';
import { getCommand } from './secret-get.ts';
import { listCommand } from './secret-list.ts';
import { fieldsOf, findSecret } from './secret-lookup.ts';
import { storeCommand } from './secret-store.ts';

const showFormats: readonly Format[] = ['table', 'json', 'yaml', 'env', 'raw'];

/** The one id, reference or name that a command is about. */
function onlyPositional(context: CommandContext, command: string): string {
  const [text, ...more] = context.positionals;
  if (!text || more.length > 0) {
    throw new UsageError(`${command} takes one secret: its id, its reference or its name`);
  }
  return text;
}

async function show(context: CommandContext): Promise<number> {
  const text = onlyPositional(context, 'secret show');
  const format = chooseFormat(context, showFormats);
  const coffer = await connect(context);
  const { id } = await findSecret(coffer, text);
  const secret = await coffer.secrets.get(id);
  const metadata = await coffer.secrets.metadata.list(id);
  const fields = fieldsOf(secret);
  context.stdout.write(
    format === 'json'
      ? formatJson({ ...fields, metadata })
      : formatOne({ ...fields, metadata: JSON.stringify(metadata) }, format),
  );
  return exitCodes.done;
}

async function remove(context: CommandContext): Promise<number> {
  const text = onlyPositional(context, 'secret delete');
  const coffer = await connect(context);
  const { id } = await findSecret(coffer, text);
  if (context.values['yes'] !== true) {
    const name = context.stdin.isTTY ? (await coffer.secrets.get(id)).name : null;
    const what = `deleting ${id} destroys its value`;
    if (!(await confirmByName(context, printable(name || id), what))) {
      context.stderr.write('coffer: not deleted: what was typed is not its name\n');
      return exitCodes.invalid;
    }
  }
  await coffer.secrets.delete(id);
  return exitCodes.done;
}

export const commands: readonly Command[] = [
  storeCommand,
  getCommand,
  listCommand,
  {
    name: 'secret show',
    summary: 'Show what is known of a secret, without its value.',
    usage: 'ID|NAME [flags]',
    example: 'coffer secret show db-password -o json',
    flags: { ...outputFlag(showFormats), ...connectionFlags },
    run: show,
  },
  {
    name: 'secret delete',
    summary: 'Delete a secret and its value; asks for its name on a terminal.',
    usage: 'ID|NAME [flags]',
    example: 'coffer secret delete db-password --yes',
    flags: { yes: { type: 'boolean', description: 'Do not ask.' }, ...connectionFlags },
    run: remove,
  },
];
