import { type Finding, isIn, type TreeFile } from './tree.ts';

const meaningless = new Set([
  'utils',
  'util',
  'helpers',
  'helper',
  'common',
  'shared',
  'lib',
  'types',
  'core',
  'misc',
]);
const barrelsAllowed = new Set(['src/client/index.ts', 'migrations/index.ts']);
const kebabCase = /^(?:\d{4}_[a-z0-9_]+|[a-z0-9]+(?:-[a-z0-9]+)*)(?:\.test)?\.ts$/;

/** Names that say nothing, barrels, and files that are not kebab-case. */
export function badNames(files: readonly TreeFile[]): Finding[] {
  return files
    .filter(({ path }) => !isIn(path, 'test/vectors', 'test/clients'))
    .flatMap(({ path }) => {
      const parts = path.split('/');
      const file = parts.at(-1) ?? '';
      const words = [...parts.slice(0, -1), file.replace(/(?:\.test)?\.\w+$/, '')];
      return [
        ...words.filter((word) => meaningless.has(word)).map((word) => `${path}: '${word}' names nothing`),
        ...(file === 'index.ts' && !barrelsAllowed.has(path) ? [`${path}: a barrel file`] : []),
        ...(file.endsWith('.ts') && !kebabCase.test(file) ? [`${path}: not kebab-case`] : []),
      ];
    });
}

const topLevel = new Set([
  'LICENSE',
  'README.md',
  'keys.example',
  'migrations',
  'package-lock.json',
  'package.json',
  'src',
  'test',
  'tsconfig.json',
]);

/** Dotfiles belong to tools; all else at the top has been agreed on. */
export function strangersAtTheTop(names: readonly string[]): Finding[] {
  return names.filter((name) => !name.startsWith('.') && !topLevel.has(name));
}
