import { readFile, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { CofferError } from '../client/index.ts';
import { preparePrivateFile } from './private-file.ts';

/** What `coffer login` keeps: a token, and where and for whom it is good. */
export interface StoredToken {
  url: string;
  auth_url: string;
  token: string;
  expires_at: string | null;
  user: string | null;
  /** Where the log-in named the user by id. */
  user_id: string | null;
  project: string | null;
  project_id: string | null;
  allow_insecure: boolean;
}

export function tokenPath(env: Readonly<Record<string, string | undefined>>): string {
  const state = env['XDG_STATE_HOME'] || join(env['HOME'] || homedir(), '.local', 'state');
  return join(state, 'coffer', 'token');
}

export async function writeStoredToken(path: string, stored: StoredToken): Promise<void> {
  await (await preparePrivateFile(path)).write(`${JSON.stringify(stored)}\n`);
}

export async function deleteStoredToken(path: string): Promise<void> {
  await rm(path, { force: true });
}

/** The token of the last login, or undefined when there is none or it has ended. */
export async function findStoredToken(path: string): Promise<StoredToken | undefined> {
  let text: string;
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) {
      throw new CofferError('configuration', `others may read ${path}: delete it and log in again`);
    }
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    if (error instanceof CofferError) throw error;
    throw new CofferError(
      'configuration',
      `${path} cannot be read (${(error as NodeJS.ErrnoException).code})`,
    );
  }
  const stored = parse(text);
  if (stored === undefined) {
    throw new CofferError('configuration', `${path} is damaged: delete it and log in again`);
  }
  const ended = stored.expires_at !== null && Date.parse(stored.expires_at) <= Date.now();
  return ended ? undefined : stored;
}

function parse(text: string): StoredToken | undefined {
  try {
    const stored = JSON.parse(text) as StoredToken;
    return typeof stored.token === 'string' && typeof stored.url === 'string' ? stored : undefined;
  } catch {
    return undefined;
  }
}
