import { homedir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { LAYOUTS } from '../../src/db/layouts.ts';
import { errorCodesOf, unusedCodes } from './error-codes.ts';
import { badNames, strangersAtTheTop } from './names.ts';
import { machinePaths, openEnds, silencedTests, suppressions } from './open-ends.ts';
import { strayStatements } from './sealed-tables.ts';
import { longFiles, longFunctions, longLines } from './sizes.ts';
import { isIn, readTree, topLevelNames, typeScriptOf } from './tree.ts';

const product = readTree('src', 'migrations');
const tests = readTree('test').filter(({ path }) => !isIn(path, 'test/vectors', 'test/clients'));
const code = typeScriptOf([...product, ...tests]);
const sealedTables = Object.keys(LAYOUTS);

describe('the tree', () => {
  it('has no file past 400 lines', () => {
    expect(longFiles(code)).toEqual([]);
  });

  it('has no line past 110 columns', () => {
    expect(longLines(code)).toEqual([]);
  });

  it('has no function past 60 lines in the product', () => {
    expect(longFunctions(code.filter(({ path }) => isIn(path, 'src', 'migrations')))).toEqual([]);
  });

  it('has no name that says nothing, no barrel, and files in kebab-case', () => {
    expect(badNames(code)).toEqual([]);
  });

  it('has at its top what was agreed on', () => {
    expect(strangersAtTheTop(topLevelNames())).toEqual([]);
  });

  it('leaves nothing open in the code', () => {
    expect(openEnds([...product, ...tests])).toEqual([]);
  });

  it('skips no test and shuts none out', () => {
    expect(silencedTests(tests)).toEqual([]);
  });

  it('switches no check off', () => {
    expect(suppressions(code)).toEqual([]);
  });

  it('names no path of the machine it was written on', () => {
    const all = readTree(...topLevelNames(), '.ci').filter(({ path }) => path !== 'LICENSE');
    expect(machinePaths(all, homedir(), process.cwd())).toEqual([]);
  });

  it('says each error code somewhere', () => {
    const errorsFile = product.find(({ path }) => path === 'src/errors.ts');
    if (errorsFile === undefined) throw new Error('src/errors.ts is missing');
    expect(unusedCodes(errorCodesOf(errorsFile), typeScriptOf(product))).toEqual([]);
  });

  it('keeps statements on sealed tables in db/sealed.ts and the queries files', () => {
    expect(strayStatements(typeScriptOf(product), sealedTables)).toEqual([]);
  });
});

describe('the rules themselves', () => {
  const file = (path: string, text: string) => [{ path, text }];
  const lines = (count: number, line = 'x;') => Array.from({ length: count }, () => line).join('\n');

  it('finds a file and a function that are too long', () => {
    expect(longFiles(file('src/a.ts', lines(400)))).toEqual([]);
    expect(longFiles(file('src/a.ts', lines(401)))).toEqual(['src/a.ts: 401 lines']);
    expect(longFunctions(file('src/a.ts', `function a() {\n${lines(58)}\n}`))).toEqual([]);
    expect(longFunctions(file('src/a.ts', `function a() {\n${lines(59)}\n}`))).toHaveLength(1);
    expect(
      longFunctions(file('src/a.ts', `const a = {\n  b: async () => {\n${lines(60)}\n} };`)),
    ).toHaveLength(1);
  });

  it('finds a comment that is too wide, and lets a long address pass', () => {
    expect(longLines(file('src/a.ts', `// ${'word '.repeat(30)}`))).toHaveLength(1);
    expect(longLines(file('src/a.ts', `// ${'word'.repeat(30)}`))).toEqual([]);
  });

  it('finds names that say nothing, barrels and other cases', () => {
    expect(badNames(file('src/utils/a.ts', ''))).toHaveLength(1);
    expect(badNames(file('src/secrets/helpers.ts', ''))).toHaveLength(1);
    expect(badNames(file('src/secrets/index.ts', ''))).toHaveLength(1);
    expect(badNames(file('src/secrets/listFilter.ts', ''))).toHaveLength(1);
    expect(badNames(file('src/secrets/list-filter.ts', ''))).toEqual([]);
    expect(strangersAtTheTop(['src', '.npmrc', 'scripts', 'vitest.config.ts'])).toEqual([
      'scripts',
      'vitest.config.ts',
    ]);
  });

  it('finds open ends, silenced tests and checks switched off', () => {
    expect(openEnds(file('src/a.ts', '// TO' + 'DO: later'))).toHaveLength(1);
    expect(silencedTests(file('test/a.test.ts', 'it.sk' + "ip('x')"))).toHaveLength(1);
    expect(silencedTests(file('test/a.test.ts', 'describe.on' + "ly('x')"))).toHaveLength(1);
    expect(suppressions(file('src/a.ts', '// @ts-ig' + 'nore'))).toHaveLength(1);
    expect(suppressions(file('src/a.ts', '// oxlint-dis' + 'able-next-line'))).toHaveLength(1);
  });

  it('finds paths of a machine, and lets paths of any machine pass', () => {
    const find = (text: string) =>
      machinePaths(file('README.md', text), '/home/somebody', '/srv/clones/coffer');
    expect(find('see /home/somebody/notes')).toHaveLength(1);
    expect(find("'/srv/clones/coffer/src'")).toHaveLength(1);
    expect(find('GET /v1/secrets, ./data, /var/lib/coffer, /tmp/x, /usr/bin/python3')).toEqual([]);
  });

  it('finds an error code that nothing says, though a table and a type name it', () => {
    const errorsFile = {
      path: 'src/errors.ts',
      text: "export type ErrorCode = 'conflict' | 'gone' | 'internal';",
    };
    const codes = errorCodesOf(errorsFile);
    expect(codes).toEqual(['conflict', 'gone', 'internal']);
    const table = { path: 'src/http/errors.ts', text: "const t = { 'gone': 410 }; type A = 'gone';" };
    const use = { path: 'src/a.ts', text: "throw new CofferError(a ? 'conflict' : 'internal', m);" };
    expect(unusedCodes(codes, [errorsFile, table, use])).toEqual(['gone']);
  });

  it('finds SQL and queries on sealed tables outside of their files', () => {
    const find = (path: string, text: string) => strayStatements(file(path, text), ['secrets', 'users']);
    expect(find('src/secrets/service.ts', "const q = 'SELECT id FROM secrets WHERE id = $1';")).toHaveLength(
      1,
    );
    expect(find('src/secrets/service.ts', 'const q = `UPDATE users SET name = ${name}`;')).toHaveLength(1);
    expect(
      find('src/secrets/service.ts', 'const q = \'WITH a AS (DELETE FROM "users") SELECT 1\';'),
    ).toHaveLength(1);
    expect(find('src/secrets/service.ts', "tx.selectFrom('secrets').selectAll()")).toHaveLength(1);
    expect(find('src/secrets/queries.ts', "const q = 'SELECT id FROM secrets';")).toEqual([]);
    expect(find('src/secrets/service.ts', "const s = 'Removes the users from secrets';")).toEqual([]);
    expect(find('src/http/refs.ts', "const p = '/v1/secrets/';")).toEqual([]);
  });
});
