import { CofferError, type NewSecret, type PayloadContentType, type SecretType } from '../client/index.ts';
import { type Command, type CommandContext, stringFlag, UsageError } from './command.ts';
import { connect, connectionFlags } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { chooseFormat, type Format, formatOne, outputFlag } from './output.ts';
import { isPlainText, readValue } from './secret-input.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env', 'raw'];

function checkName(context: CommandContext): string {
  const [name, ...more] = context.positionals;
  if (more.length > 0) {
    throw new UsageError(
      'a value never comes from an argument, which other processes and the shell history would keep; pipe it in, use --from-file FILE or --generate 32, or type it when asked',
    );
  }
  if (!name) throw new UsageError('which name? coffer secret store NAME');
  return name;
}

export function parseExpiration(context: CommandContext): Date | undefined {
  const text = stringFlag(context, 'expiration');
  if (text === undefined) return undefined;
  const [, amount, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const seconds = { s: 1, m: 60, h: 3600, d: 86_400 }[unit ?? ''];
  const date =
    seconds === undefined ? new Date(text) : new Date(Date.now() + Number(amount) * seconds * 1000);
  if (Number.isNaN(date.getTime())) {
    throw new UsageError('--expiration takes a time as 2030-01-31T12:00:00Z, or a span as 90d, 12h, 30m');
  }
  return date;
}

function parseBitLength(context: CommandContext): number | undefined {
  const text = stringFlag(context, 'bit-length');
  if (text !== undefined && !/^\d{1,5}$/.test(text)) throw new UsageError('--bit-length takes a number');
  return text === undefined ? undefined : Number(text);
}

async function run(context: CommandContext): Promise<number> {
  const name = checkName(context);
  const format = chooseFormat(context, formats);
  const fields: NewSecret = {
    name,
    type: stringFlag(context, 'type') as SecretType | undefined,
    expiration: parseExpiration(context),
    algorithm: stringFlag(context, 'algorithm'),
    bitLength: parseBitLength(context),
    mode: stringFlag(context, 'mode'),
  };
  const asked = stringFlag(context, 'content-type') as PayloadContentType | undefined;
  const payload = await readValue(context);
  try {
    if (payload.length === 0) throw new CofferError('bad_request', 'the value is empty');
    const contentType = asked ?? (isPlainText(payload) ? 'text/plain' : 'application/octet-stream');
    const coffer = await connect(context);
    const stored = await coffer.secrets.create({ ...fields, payload, contentType });
    context.stdout.write(formatOne({ id: stored.id, name, secret_ref: stored.ref }, format));
    return exitCodes.done;
  } finally {
    payload.fill(0);
  }
}

const text = (description: string, placeholder: string) =>
  ({ type: 'string', description, placeholder }) as const;

export const storeCommand: Command = {
  name: 'secret store',
  summary: 'Store a secret: its value is asked for, piped in, read from a file or generated.',
  usage: 'NAME [flags]',
  example:
    'coffer secret store db-password\ncoffer secret store api-key --generate 40 -o raw\ncoffer secret store tls-key --type private --from-file key.pem',
  flags: {
    'from-file': text('Take the value from this file, byte for byte.', 'FILE'),
    generate: text(
      'Make the value: so many characters of alnum (the default), ascii, base64url, digits, hex, or so many bytes.',
      'LENGTH[:CHARSET]',
    ),
    type: text('symmetric, passphrase, private, public, certificate or opaque (the default).', 'TYPE'),
    expiration: text('When it ends: a time, or a span as 90d, 12h, 30m.', 'WHEN'),
    'content-type': text(
      'text/plain or application/octet-stream; told from the value when left out.',
      'TYPE',
    ),
    algorithm: text('What the value is a key of, for others to read.', 'NAME'),
    'bit-length': text('Its length in bits, for others to read.', 'NUMBER'),
    mode: text('Its mode of operation, for others to read.', 'NAME'),
    ...outputFlag(formats),
    ...connectionFlags,
  },
  run,
};
