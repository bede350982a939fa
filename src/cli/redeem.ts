import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { CofferError, type RedeemedCredentials, redeemCode } from '../client/index.ts';
import { type CommandContext, type Flags, stringFlag, UsageError } from './command.ts';
import { flaggedEnvironment, trustOf } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { readHidden } from './hidden-input.ts';
import { chooseFormat, type Format, formatOne } from './output.ts';
import { preparePrivateFile, type PrivateFile } from './private-file.ts';
import { confirmByName } from './prompt.ts';
import { deleteStoredToken, tokenPath } from './stored-token.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env'];

export const redemptionFlags: Flags = {
  redeem: {
    type: 'boolean',
    description: "Redeem a code of 'coffer app create' and keep the credential. It works once.",
  },
  'from-file': { type: 'string', description: 'With --redeem: the file with the code.', placeholder: 'FILE' },
  yes: { type: 'boolean', description: 'With --redeem: replace a credential that is kept already.' },
};

/** `coffer login --redeem`: the code is asked for, piped in or in a file; never an argument. */
export async function redeem(context: CommandContext): Promise<number> {
  if (context.positionals.length > 0) {
    throw new UsageError('login --redeem: the code is asked for, piped in or --from-file, never an argument');
  }
  const format = chooseFormat(context, formats);
  const path = credentialPath(context);
  const text = await readCode(context);
  if (existsSync(path) && !(await confirmByName(context, path, `this replaces the credential in ${path}`))) {
    context.stderr.write('coffer: nothing was redeemed: what was typed is not its name\n');
    return exitCodes.invalid;
  }
  const env = flaggedEnvironment(context);
  const file = await prepare(path);
  const redeemed = await redeemCode(text, {
    // the code knows its server; who says another one means it
    ...(stringFlag(context, 'url') === undefined && text.includes('@') ? {} : { url: env['COFFER_URL'] }),
    allowInsecure: env['COFFER_ALLOW_INSECURE'] === '1',
    ...(await trustOf(env)),
  }).catch(async (error: unknown) => {
    await file.discard();
    throw error;
  });
  await file.write(formatCredential(redeemed));
  // the log-in of before would be used in its place
  await deleteStoredToken(tokenPath(context.env));
  const { id, name, url, projectId, expiresAt } = redeemed;
  const shown = { id, name, url, project_id: projectId, expires_at: expiresAt?.toISOString() ?? null };
  context.stdout.write(formatOne({ ...shown, credential_file: path }, format));
  return exitCodes.done;
}

/** Where commands and the SDK look for it. */
function credentialPath({ env, cwd, values }: CommandContext): string {
  const named = values['credential-file'] ?? env['COFFER_CREDENTIAL_FILE'];
  if (typeof named === 'string' && named !== '') return resolve(cwd, named);
  const config = env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config');
  return join(config, 'coffer', 'credential');
}

async function readCode(context: CommandContext): Promise<string> {
  const path = stringFlag(context, 'from-file');
  if (path === undefined) return (await readHidden(context, 'Code (not shown): ')).trim();
  try {
    return (await readFile(resolve(context.cwd, path), 'utf8')).trim();
  } catch (error) {
    throw new UsageError(`--from-file: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

async function prepare(path: string): Promise<PrivateFile> {
  try {
    return await preparePrivateFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CofferError('configuration', `nothing was redeemed: ${path} cannot be written (${code})`);
  }
}

/** Variables for every client of OpenStack: for systemd's EnvironmentFile, a shell, or a container. */
function formatCredential({ id, secret, url, name, allowInsecure }: RedeemedCredentials): string {
  return [
    `# The application credential ${name.replace(/[^\w.-]/g, '?')} of Coffer: as secret as a password.`,
    `COFFER_URL=${url}`,
    ...(allowInsecure === true && url.startsWith('http:') ? ['COFFER_ALLOW_INSECURE=1'] : []),
    'OS_AUTH_TYPE=v3applicationcredential',
    `OS_AUTH_URL=${url}/identity/v3`,
    `OS_APPLICATION_CREDENTIAL_ID=${id}`,
    `OS_APPLICATION_CREDENTIAL_SECRET=${secret}`,
    '',
  ].join('\n');
}
