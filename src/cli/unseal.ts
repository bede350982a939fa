import { send } from '../client/transport.ts';
import { checkAddress } from '../client/address.ts';
import { CofferError } from '../client/index.ts';
import { type Command, type CommandContext, stringFlag, UsageError } from './command.ts';
import { connectionFlags, flaggedEnvironment, trustOf } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { readHidden } from './hidden-input.ts';
import { chooseFormat, type Format, formatOne, outputFlag } from './output.ts';
import { loadSettings } from './setting-flags.ts';
import { readShares } from './share-input.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml'];
/** With the last share the server starts before it answers. */
const PATIENCE_MS = 60_000;

interface SealStatus {
  sealed: boolean;
  threshold?: number;
  given?: number;
}

const unseal: Command = {
  name: 'unseal',
  summary:
    'Give a share of the keyring to a server that started sealed: asked for, or on standard input one a line.',
  usage: '[--url URL] [--from-file FILE] [flags]',
  example: 'coffer unseal --url https://secrets-1.example.org:9311',
  flags: {
    url: {
      type: 'string',
      description:
        'The one server to unseal; else COFFER_URL or OS_AUTH_URL, else the server of this machine.',
      placeholder: 'URL',
    },
    'allow-insecure': connectionFlags['allow-insecure'] ?? { type: 'boolean', description: '' },
    'from-file': { type: 'string', description: 'A file with shares, one a line.', placeholder: 'FILE' },
    ...outputFlag(formats),
  },
  run: async (context) => {
    if (context.positionals.length > 0) {
      throw new UsageError('unseal: a share is asked for, piped in or --from-file, never an argument');
    }
    const format = chooseFormat(context, formats);
    const ask = await reach(context);
    let status = await ask();
    const shares = status.sealed ? await sharesOf(context, status) : [];
    for (const share of shares) {
      if (!status.sealed) break;
      status = await give(ask, share);
      context.stderr.write(`${describe(status)}\n`);
    }
    if (shares.length === 0) context.stderr.write(`${describe(status)}\n`);
    context.stdout.write(formatOne(fieldsOf(status), format));
    return exitCodes.done;
  },
};

type Ask = (share?: string) => Promise<SealStatus>;

async function reach(context: CommandContext): Promise<Ask> {
  const env = flaggedEnvironment(context);
  const named = env['COFFER_URL'] ?? env['OS_AUTH_URL']?.replace(/\/identity(?:\/v3)?\/*$/, '');
  const base = checkAddress(named ?? serverHere(context), 'url', env['COFFER_ALLOW_INSECURE'] === '1');
  const options = { ...(await trustOf(env)), timeoutMs: PATIENCE_MS, retries: 0 };
  const url = `${base}/v2/sys/unseal`;
  const headers = { accept: 'application/json', 'content-type': 'application/json' };
  return async (share) => {
    const call =
      share === undefined
        ? ({ method: 'GET', url, headers, idempotent: true } as const)
        : ({ method: 'POST', url, headers, idempotent: false, body: JSON.stringify({ share }) } as const);
    return parseStatus((await send(call, options)).bytes);
  };
}

/** Its own listener, and not the public URL, behind which there may be others. */
function serverHere(context: CommandContext): string {
  const { config } = loadSettings(context);
  if (config.tls !== undefined) return config.publicUrl;
  const { host, port } = config.listen;
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : /^[0:]+$/.test(host) ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/** On a terminal one: the next person gives the next. */
async function sharesOf(
  context: CommandContext,
  { given = 0, threshold = 0 }: SealStatus,
): Promise<string[]> {
  const path = stringFlag(context, 'from-file');
  if (path === undefined && context.stdin.isTTY) {
    return [await readHidden(context, `Share ${given + 1} of ${threshold} (not shown): `)];
  }
  const shares = await readShares(context, 'from-file', path ?? '-');
  if (shares.length === 0) throw new UsageError('unseal: no share was given');
  return shares;
}

/** Two may give the last share at once: to the second nothing is left to do. */
async function give(ask: Ask, share: string): Promise<SealStatus> {
  try {
    return await ask(share);
  } catch (error) {
    if (error instanceof CofferError && error.code === 'conflict') return await ask();
    throw error;
  }
}

function parseStatus(bytes: Uint8Array): SealStatus {
  try {
    const body = JSON.parse(new TextDecoder().decode(bytes)) as SealStatus;
    if (typeof body.sealed === 'boolean') return body;
  } catch {
    // it says nothing either
  }
  throw new CofferError('protocol', 'the server answered with something that is no state of a seal');
}

function describe({ sealed, given, threshold }: SealStatus): string {
  return sealed ? `Sealed: ${given}/${threshold} shares given.` : 'The server is not sealed: it serves.';
}

function fieldsOf({ sealed, given, threshold }: SealStatus): Record<string, string | number | null> {
  return { sealed: sealed ? 'yes' : 'no', given: given ?? null, threshold: threshold ?? null };
}

export const commands: readonly Command[] = [unseal];
