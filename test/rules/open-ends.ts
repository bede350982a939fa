import type { Finding, TreeFile } from './tree.ts';

/** Lines of the files that match, as `path:line: what`. */
function matchingLines(files: readonly TreeFile[], pattern: RegExp): Finding[] {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const match = pattern.exec(line);
      return match ? [`${path}:${index + 1}: ${match[0]}`] : [];
    }),
  );
}

// Put together here, so that this file does not find itself.
const openEnd = new RegExp(`\\b(?:${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].join('|')})\\b`);
const silenced = new RegExp(`\\.(?:sk${'ip'}|on${'ly'}|to${'do'})\\(`);
const suppressed = new RegExp(
  `@ts-(?:ig${'nore'}|no${'check'})|(?:ox|es)lint-dis${'able'}|biome-ig${'nore'}`,
);

export function openEnds(files: readonly TreeFile[]): Finding[] {
  return matchingLines(files, openEnd);
}

export function silencedTests(files: readonly TreeFile[]): Finding[] {
  return matchingLines(files, silenced);
}

/** Comments that switch a check off. */
export function suppressions(files: readonly TreeFile[]): Finding[] {
  return matchingLines(files, suppressed);
}

/** Paths that exist on one machine only: homes, and this clone. */
export function machinePaths(files: readonly TreeFile[], home: string, clone: string): Finding[] {
  const places = [home, clone, '/ro' + 'ot', '/wo' + 'rk', '/Us' + 'ers']
    .filter((path) => path.length > 1)
    .map((path) => path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return matchingLines(files, new RegExp(`(?:^|[\\s'"\`=(:])(?:${places.join('|')})/[\\w.-]`));
}
