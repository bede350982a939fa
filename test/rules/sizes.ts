import ts from 'typescript';
import { nodesOf, parse, placeOf } from './syntax.ts';
import { type Finding, isIn, type TreeFile } from './tree.ts';

const LINES_MAX = 400;
const FUNCTION_LINES_MAX = 60;
const COLUMNS_MAX = 110;

/** Tables and vectors: lists of like entries, which a cut would not make easier to read. */
const TABLES: readonly string[] = [];

export function longFiles(files: readonly TreeFile[]): Finding[] {
  return files
    .filter(({ path }) => !TABLES.includes(path) && !isIn(path, 'test/vectors', 'test/clients'))
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > LINES_MAX)
    .map(({ path, lines }) => `${path}: ${lines} lines`);
}

/** The formatter breaks code; comments and long texts are left to this. */
export function longLines(files: readonly TreeFile[]): Finding[] {
  return files
    .filter(({ path }) => !isIn(path, 'test/vectors', 'test/clients'))
    .flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, index) => {
        const isComment = /^\s*(?:\/\/|\*|\/\*)/.test(line);
        // A text is not broken for its length: titles, messages and SQL stay in one piece to be found.
        const withoutText = isComment ? line : line.replace(/(['"`]).*\1/, '').replace(/\/.+\/[a-z]*/, '');
        const isText =
          /^\s*(?:\/\/|\*|\/\*\*)?\s*\S+$/.test(line) || (!isComment && /\$\{|^\s*['"`]/.test(line));
        return !isText && withoutText.length > COLUMNS_MAX
          ? [`${path}:${index + 1}: ${line.length} columns`]
          : [];
      }),
    );
}

export function longFunctions(files: readonly TreeFile[]): Finding[] {
  return files.flatMap((file) => {
    const source = parse(file);
    const lineOf = (position: number): number => source.getLineAndCharacterOfPosition(position).line;
    return [...nodesOf(source)].filter(ts.isFunctionLike).flatMap((node) => {
      const lines = lineOf(node.getEnd()) - lineOf(node.getStart()) + 1;
      return lines > FUNCTION_LINES_MAX ? [`${placeOf(file, node)}: a function of ${lines} lines`] : [];
    });
  });
}
