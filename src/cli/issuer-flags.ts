import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { KeySource } from '../identity/federation/issuers.ts';
import { UsageError } from './command.ts';

/** `NAME=VALUE`, each name once. */
export function parseClaims(given: readonly string[]): Map<string, string> {
  const claims = new Map<string, string>();
  for (const text of given) {
    const [, name, value] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
    if (name === undefined || value === undefined) throw new UsageError('--claims is NAME=VALUE');
    if (claims.has(name)) throw new UsageError(`--claims: ${name} is given twice; all of them must match`);
    claims.set(name, value);
  }
  return claims;
}

/** A key set by its address, or the keys of a file. */
export async function readKeySource(
  given: string,
  cwd: string,
  allowed: { allowPrivate: boolean; allowHttp: boolean },
): Promise<KeySource> {
  const { KeySetProblem, requireAllowed } = await import('../identity/federation/key-set-fetch.ts');
  const { parseKeySet } = await import('../identity/federation/key-set.ts');
  try {
    if (/^https?:/i.test(given)) return { url: requireAllowed(given, allowed).href, keys: null };
    return { url: null, keys: parseKeySet(await readKeySetFile(resolve(cwd, given))) };
  } catch (error) {
    if (!(error instanceof KeySetProblem)) throw error;
    throw new UsageError(`--jwks: ${error.message}`);
  }
}

async function readKeySetFile(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new UsageError(`--jwks: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
