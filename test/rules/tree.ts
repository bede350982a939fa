import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** One text file of the repository, by its path from the top. */
export interface TreeFile {
  path: string;
  text: string;
}

/** What rules find: the place and what is wrong there. */
export type Finding = string;

const notOurs = new Set([
  '.git',
  '.stryker-tmp',
  'node_modules',
  'dist',
  'coverage',
  'reports',
  'data',
  'keys',
]);

export function topLevelNames(): string[] {
  return readdirSync('.').filter((name) => !notOurs.has(name));
}

export function readTree(...from: string[]): TreeFile[] {
  return from.flatMap((path) => {
    if (!statSync(path).isDirectory()) return [{ path, text: readFileSync(path, 'utf8') }];
    return readdirSync(path)
      .filter((name) => !notOurs.has(name))
      .sort()
      .flatMap((name) => readTree(join(path, name)));
  });
}

export function typeScriptOf(files: readonly TreeFile[]): TreeFile[] {
  return files.filter(({ path }) => path.endsWith('.ts'));
}

export function isIn(path: string, ...folders: string[]): boolean {
  return folders.some((folder) => path.startsWith(`${folder}/`));
}
