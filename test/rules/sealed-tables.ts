import { placeOf, textsOf } from './syntax.ts';
import { type Finding, isIn, type TreeFile } from './tree.ts';

const mayNameThem = /^src\/(?:db\/sealed\.ts|(?:[^/]+\/)+(?:queries|sql)\.ts|.*-queries\.ts)$/;

/** SQL, or a call of Kysely, on a sealed table outside of the files that own such statements. */
export function strayStatements(sources: readonly TreeFile[], sealedTables: readonly string[]): Finding[] {
  const tables = `"?(?:${sealedTables.join('|')})"?(?![\\w:-])`;
  const statement = new RegExp(`\\b(?:from|join|into|update|table)\\s+(?:only\\s+)?${tables}`, 'i');
  const call = new RegExp(
    `\\.(?:selectFrom|insertInto|updateTable|deleteFrom|\\w+Join)\\(\\s*['"\`]${tables}`,
  );
  return sources
    .filter(({ path }) => isIn(path, 'src') && !mayNameThem.test(path))
    .flatMap((file) => [
      ...textsOf(file)
        .filter(
          ({ text }) =>
            statement.test(text) && /\b(?:select|insert|update|delete|truncate|alter)\b/i.test(text),
        )
        .map(({ node }) => `${placeOf(file, node)}: SQL on a sealed table`),
      ...file.text
        .split('\n')
        .flatMap((line, index) =>
          call.test(line) ? [`${file.path}:${index + 1}: a query on a sealed table`] : [],
        ),
    ]);
}
