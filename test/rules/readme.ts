/**
 * The rows of the one table between `<!-- name -->` and `<!-- /name -->` (or the next heading), without its
 * head.
 */
export function tableOf(markdown: string, name: string): string[][] {
  const start = markdown.indexOf(`<!-- ${name} -->`);
  if (start < 0) throw new Error(`no <!-- ${name} -->`);
  const section = markdown.slice(start).split(/<!-- \/|\n#/, 1)[0] ?? '';
  return section
    .split('\n')
    .filter((line) => line.trim().startsWith('|'))
    .slice(2)
    .map((line) =>
      line
        .trim()
        .replace(/^\||\|$/g, '')
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    );
}

/** A cell without its code marks. */
export function bare(cell: string | undefined): string {
  return (cell ?? '').replace(/^`(.*)`$/, '$1');
}
