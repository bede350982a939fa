import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  Coffer,
  CofferError,
  type CofferOptions,
  credentialFileProvider,
  type CredentialProvider,
  type Credentials,
  credentialsFromEnvironment,
  providerChain,
} from '../client/index.ts';
import { type CommandContext, type Flags, stringFlag } from './command.ts';
import { findStoredToken, type StoredToken, tokenPath } from './stored-token.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The flags of every command that talks to a server. */
export const connectionFlags: Flags = {
  url: {
    type: 'string',
    description: 'The server, as https://host:9311; else COFFER_URL or OS_AUTH_URL.',
    placeholder: 'URL',
  },
  'credential-file': {
    type: 'string',
    description: 'The credential of an application (COFFER_CREDENTIAL_FILE), before all else.',
    placeholder: 'FILE',
  },
  'allow-insecure': {
    type: 'boolean',
    description: 'Allow plain http to another machine (COFFER_ALLOW_INSECURE=1).',
  },
};

/** The environment with what the flags say in its place. */
export function flaggedEnvironment(context: CommandContext): Environment {
  const url = stringFlag(context, 'url');
  const insecure = context.values['allow-insecure'] === true;
  return {
    ...context.env,
    ...(url !== undefined && { COFFER_URL: url, OS_AUTH_URL: undefined }),
    ...(insecure && { COFFER_ALLOW_INSECURE: '1' }),
  };
}

function trimmed(url: string | undefined | null): string | undefined {
  return url?.replace(/\/+$/, '').replace(/\/v3$/, '') || undefined;
}

/** Whether the environment leaves the stored token standing: it names no other server, user or project. */
function agrees(env: Environment, stored: StoredToken): boolean {
  if (env['OS_TOKEN'] || env['OS_APPLICATION_CREDENTIAL_SECRET'] || namesCredential(env)) return false;
  const pairs = [
    [trimmed(env['COFFER_URL']), trimmed(stored.url)],
    [trimmed(env['OS_AUTH_URL']), trimmed(stored.auth_url)],
    [env['OS_USERNAME'], stored.user],
    [env['OS_USER_ID'], stored.user_id],
    [env['OS_PROJECT_NAME'], stored.project],
    [env['OS_PROJECT_ID'], stored.project_id],
  ];
  return pairs.every(([asked, kept]) => !asked || asked === kept);
}

/** Whether it says where an application's credential lies: then that is who calls, and no earlier log-in. */
function namesCredential(env: Environment): boolean {
  const directory = env['CREDENTIALS_DIRECTORY'];
  return !!env['COFFER_CREDENTIAL_FILE'] || (!!directory && existsSync(`${directory}/coffer`));
}

function storedProvider(env: Environment): CredentialProvider {
  return async ({ rejected }) => {
    if (rejected) return undefined;
    const stored = await findStoredToken(tokenPath(env));
    if (stored === undefined || !agrees(env, stored)) return undefined;
    const expiresAt = stored.expires_at === null ? undefined : new Date(stored.expires_at);
    const allowInsecure = stored.allow_insecure || env['COFFER_ALLOW_INSECURE'] === '1';
    return { type: 'token', token: stored.token, url: stored.url, expiresAt, allowInsecure };
  };
}

function notSignedIn(): Credentials {
  throw new CofferError(
    'unauthorized',
    'not signed in: run coffer login, or set OS_AUTH_URL, OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME',
  );
}

/** `OS_CACERT` for `fetch`, which takes a certificate authority from its own kind of agent alone. */
async function fetchTrusting(file: string): Promise<typeof globalThis.fetch> {
  const { readFile } = await import('node:fs/promises');
  const ca = await readFile(file, 'utf8').catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    throw new CofferError('configuration', `OS_CACERT: ${file} cannot be read (${code})`);
  });
  // Node makes its agent when fetch's classes are first used
  void new Headers();
  const shared = (globalThis as Record<symbol, object | undefined>)[Symbol.for('undici.globalDispatcher.1')];
  if (shared === undefined) {
    throw new CofferError(
      'configuration',
      'OS_CACERT is not understood here: set NODE_EXTRA_CA_CERTS instead',
    );
  }
  const Agent = shared.constructor as new (options: object) => object;
  const dispatcher = new Agent({ connect: { ca } });
  return (input, init) => fetch(input, { ...init, dispatcher } as RequestInit);
}

/** Who calls: a flag's file, then the token of the last login, the environment, and the credential files. */
function credentialsOf(context: CommandContext, env: Environment): CredentialProvider {
  const file = stringFlag(context, 'credential-file');
  if (file !== undefined) {
    const named = { ...env, COFFER_CREDENTIAL_FILE: resolve(context.cwd, file) };
    return providerChain(credentialFileProvider(named), notSignedIn);
  }
  const fromEnvironment: CredentialProvider = () => credentialsFromEnvironment(env);
  return providerChain(storedProvider(env), fromEnvironment, credentialFileProvider(env), notSignedIn);
}

/** A client by flags, environment and files. Logs in when first used. */
export async function connect(context: CommandContext, own?: CredentialProvider): Promise<Coffer> {
  const env = flaggedEnvironment(context);
  const credentials = own ?? credentialsOf(context, env);
  return new Coffer({ credentials, ...(await trustOf(env)) });
}

/** The option that makes a client trust the authority of `OS_CACERT`. */
export async function trustOf(env: Environment): Promise<Pick<CofferOptions, 'fetch'>> {
  const certificates = env['OS_CACERT'];
  if (!certificates || env['NODE_EXTRA_CA_CERTS']) return {};
  return { fetch: await fetchTrusting(certificates) };
}
