import { CofferError } from './coffer-error.ts';
import {
  type CredentialProvider,
  type Credentials,
  credentialsFromEnvironment,
  type Environment,
} from './credentials.ts';

interface Candidate {
  path: string;
  /** Named by hand: that it is missing is a mistake. */
  isNamed: boolean;
  /** The permissions that nobody but the owner may have. */
  forbidden: number;
}

/** Where a credential may lie, in order; the first file that is there counts. */
function candidatesOf(env: Environment): Candidate[] {
  const { COFFER_CREDENTIAL_FILE: named, CREDENTIALS_DIRECTORY: directory, HOME: home } = env;
  if (named) return [{ path: named, isNamed: true, forbidden: 0o077 }];
  const config = env.XDG_CONFIG_HOME || (home && `${home}/.config`);
  return [
    // systemd lets the service read it by an ACL, which shows as a permission of the group
    ...(directory ? [{ path: `${directory}/coffer`, isNamed: false, forbidden: 0o007 }] : []),
    ...(config ? [{ path: `${config}/coffer/credential`, isNamed: false, forbidden: 0o077 }] : []),
  ];
}

/** Its text, or undefined where no such file is, or no file system as in a browser. */
function readCandidate({ path, isNamed, forbidden }: Candidate): string | undefined {
  const process = globalThis.process as NodeJS.Process | undefined;
  // not imported: a package for browsers too must not ask for it by name
  const files = process?.getBuiltinModule?.('node:fs');
  if (files === undefined) return undefined;
  let file: number | undefined;
  try {
    file = files.openSync(path, 'r');
    const { mode } = files.fstatSync(file);
    if (process?.platform !== 'win32' && (mode & forbidden) !== 0) {
      throw new CofferError('configuration', `others may read ${path}: run chmod 600 on it`);
    }
    return files.readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as { code?: string };
    if (error instanceof CofferError) throw error;
    if (!isNamed && (code === 'ENOENT' || code === 'ENOTDIR')) return undefined;
    throw new CofferError('configuration', `the credential file ${path} cannot be read (${code})`);
  } finally {
    if (file !== undefined) files.closeSync(file);
  }
}

/** Lines of `NAME=VALUE`, as systemd and shells read them; `#` begins a comment. */
function parseVariables(text: string): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const [, name, value = ''] = /^\s*(?:export\s+)?([A-Z][A-Z0-9_]*)=(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined) variables[name] = value.replace(/^(['"])(.*)\1$/, '$2');
  }
  return variables;
}

const trimmed = (url: string): string => url.replace(/(?:\/v3)?\/*$/, '');

/** Whether the environment names another server than the file: its secret is for its own alone. */
function isForAnother(env: Environment, file: Environment): boolean {
  return (['COFFER_URL', 'OS_AUTH_URL'] as const).some((name) => {
    const [wanted, own] = [env[name], file[name]];
    return !!wanted && !!own && trimmed(wanted) !== trimmed(own);
  });
}

/**
 * Credentials from a file with variables as `credentialsFromEnvironment` takes them: the one that
 * `COFFER_CREDENTIAL_FILE` names, else `coffer` in `$CREDENTIALS_DIRECTORY` (systemd), else
 * `${XDG_CONFIG_HOME:-~/.config}/coffer/credential`, which `coffer login --redeem` writes. Undefined when
 * there is none, or it is for another server than the environment names. Throws `CofferError` `configuration`
 * for one that others may read, or that holds no credentials.
 */
export function credentialsFromFile(env: Environment): Credentials | undefined {
  for (const candidate of candidatesOf(env)) {
    const text = readCandidate(candidate);
    if (text === undefined) continue;
    const file = parseVariables(text);
    if (isForAnother(env, file)) return undefined;
    const { COFFER_URL, OS_AUTH_URL, OS_REGION_NAME, COFFER_ALLOW_INSECURE } = env;
    const place = file.COFFER_URL || file.OS_AUTH_URL ? {} : { COFFER_URL, OS_AUTH_URL };
    const found = credentialsFromEnvironment({ OS_REGION_NAME, COFFER_ALLOW_INSECURE, ...place, ...file });
    if (found !== undefined) return found;
    throw new CofferError('configuration', `the credential file ${candidate.path} holds no credentials`);
  }
  return undefined;
}

/**
 * The provider of those files, read anew at each login; after that of the environment it is the one used when
 * `Coffer` is given no credentials.
 */
export function credentialFileProvider(env?: Environment): CredentialProvider {
  return () => credentialsFromFile(env ?? globalThis.process?.env ?? {});
}
