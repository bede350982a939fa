import { type Coffer, CofferError, type SecretValue } from '../client/index.ts';
import { type Command, type CommandContext, UsageError } from './command.ts';
import { connect, connectionFlags } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { chooseFormat, type Fields, type Format, formatAssignment, formatOne } from './output.ts';
import { isPlainText } from './secret-input.ts';
import type { Found } from './name-lookup.ts';
import { findSecret } from './secret-lookup.ts';

const formats: readonly Format[] = ['raw', 'json', 'yaml', 'env'];

/** A name that a shell takes for a variable. */
function variableName(name: string): string {
  const plain = name.toUpperCase().replace(/[^A-Z0-9_]/g, '_');
  return /^[A-Z_]/.test(plain) ? plain : `_${plain}`;
}

function fieldsOf(found: Found, value: SecretValue): Fields {
  const bytes = value.bytes();
  const said = isPlainText(bytes)
    ? { value: value.text() }
    : { value_base64: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64') };
  bytes.fill(0);
  return { id: found.id, name: found.name, ...said };
}

async function nameOf(coffer: Coffer, found: Found): Promise<Found> {
  return found.name === null ? coffer.secrets.get(found.id) : found;
}

async function write(context: CommandContext, bytes: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    context.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

async function run(context: CommandContext): Promise<number> {
  const [text, ...more] = context.positionals;
  if (!text || more.length > 0)
    throw new UsageError('secret get takes one secret: its id, reference or name');
  const format = chooseFormat(context, formats, 'raw');
  const coffer = await connect(context);
  const found = await findSecret(coffer, text);
  const value = await coffer.secrets.payload(found.id);
  if (format === 'raw') {
    const bytes = value.bytes();
    if (context.stdout.isTTY && context.values['output'] === undefined && !isPlainText(bytes)) {
      throw new CofferError(
        'not_text',
        'the value is no text; send it to a file, or use -o raw to see it here',
      );
    }
    await write(context, bytes);
    bytes.fill(0);
  } else if (format === 'env') {
    const { id, name } = await nameOf(coffer, found);
    const plain = value.text();
    if (plain.includes('\0')) throw new CofferError('not_text', 'the value holds NUL, which no variable can');
    context.stdout.write(formatAssignment(variableName(name || id), plain));
  } else context.stdout.write(formatOne(fieldsOf(await nameOf(coffer, found), value), format));
  value.wipe();
  return exitCodes.done;
}

export const getCommand: Command = {
  name: 'secret get',
  summary: 'Write the value of a secret, byte for byte and with no newline added.',
  usage: 'ID|NAME [flags]',
  example: 'coffer secret get db-password\ncoffer secret get tls-key > key.pem',
  flags: {
    output: {
      type: 'string',
      short: 'o',
      description: 'raw (the default), json, yaml or env.',
      placeholder: 'FORMAT',
    },
    ...connectionFlags,
  },
  run,
};
