import { createHash, randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { birthOf, pidNamespace } from './embedded-process.ts';

// One process may own a data directory. Node has no flock, so the owner is a file, and the file of an owner
// that was killed must be replaced by one process only. Each content is unique, and who may replace it is
// settled by a second file named after that content, created exclusively. Its maker then looks again: when
// the content is still there, nobody else replaces it, and when it is not, somebody has.

export type Purpose = 'server' | 'command';

export interface Owner {
  pid: number;
  birth: string;
  namespace: string;
  purpose: Purpose;
}

export type Claim = { held: true; release: () => void } | { held: false; owner: Owner };

const ATTEMPTS_MAX = 100;

export function claim(path: string, purpose: Purpose): Claim {
  const own = describeSelf(purpose);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (create(path, own)) return hold(path, own);
    const found = read(path);
    if (found === undefined) continue;
    const owner = parseOwner(found);
    if (owner !== undefined && isAlive(owner)) return { held: false, owner };
    const replacement = claim(
      `${path}.${createHash('sha256').update(found).digest('hex').slice(0, 16)}`,
      purpose,
    );
    if (!replacement.held) return replacement;
    try {
      if (read(path) === found) {
        renameSync(write(path, own), path);
        return hold(path, own);
      }
    } finally {
      replacement.release();
    }
  }
  throw new Error(`${path} changes its owner without end`);
}

export function readOwner(path: string): Owner | undefined {
  const found = read(path);
  return found === undefined ? undefined : parseOwner(found);
}

export function isAlive(owner: Owner): boolean {
  return owner.namespace === pidNamespace() && birthOf(owner.pid) === owner.birth;
}

function hold(path: string, own: string): Claim {
  const release = (): void => {
    if (read(path) === own) rmSync(path, { force: true });
  };
  return { held: true, release };
}

function describeSelf(purpose: Purpose): string {
  return `${[process.pid, birthOf(process.pid) ?? '', pidNamespace(), purpose, randomUUID()].join('\n')}\n`;
}

function parseOwner(text: string): Owner | undefined {
  const [pid, birth, namespace, purpose] = text.split('\n');
  // A power cut may leave the file empty.
  if (birth === undefined || namespace === undefined || (purpose !== 'server' && purpose !== 'command'))
    return undefined;
  return { pid: Number(pid), birth, namespace, purpose };
}

/** Whole or not at all: nobody ever reads a file that is half written. */
function create(path: string, content: string): boolean {
  const whole = write(path, content);
  try {
    linkSync(whole, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(whole, { force: true });
  }
}

function write(path: string, content: string): string {
  const whole = `${path}.${randomUUID()}`;
  writeFileSync(whole, content, { flag: 'wx', mode: 0o644 });
  return whole;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
