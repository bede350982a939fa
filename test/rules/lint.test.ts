import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** What the lint must find, each in a file of its own. */
const refused = [
  [
    'a promise that nobody awaits',
    'no-floating-promises',
    'export const f = (g: () => Promise<void>) => { g(); };',
  ],
  [
    'a promise as a condition',
    'no-misused-promises',
    'export const f = (p: Promise<boolean>) => { if (p) return 1; return 2; };',
  ],
  ['an any', 'no-explicit-any', 'export const f = (x: any): unknown => x;'],
  ['a member of an any', 'no-unsafe-member-access', "export const f = (): unknown => JSON.parse('{}').a;"],
  ['a thrown text', 'only-throw-error', "export const f = (): never => { throw 'x'; };"],
  ['a default export', 'no-default-export', 'export default 1;'],
  ['a catch that swallows', 'no-empty', 'export function f(g: () => void): void { try { g(); } catch {} }'],
  ['an ==', 'eqeqeq', 'export const f = (x: unknown): boolean => x == 1;'],
  ['printing', 'no-console', "console.log('x');\nexport const a = 1;"],
] as const;

describe('the lint', () => {
  let root: string;
  let output: string;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'coffer-lint-'));
    await mkdir(join(root, 'src'));
    await symlink(resolve('node_modules'), join(root, 'node_modules'));
    await cp('tsconfig.json', join(root, 'tsconfig.json'));
    await cp('.oxlintrc.json', join(root, '.oxlintrc.json'));
    for (const [, rule, text] of refused) await writeFile(join(root, 'src', `${rule}.ts`), `${text}\n`);
    await writeFile(
      join(root, 'src', 'good.ts'),
      'export const f = async (g: () => Promise<void>) => { await g(); };\n',
    );
    const args = [resolve('node_modules/oxlint/bin/oxlint'), '--type-aware', '--format', 'unix', 'src'];
    output = await new Promise<string>((done) => {
      execFile(process.execPath, args, { cwd: root }, (_error, stdout) => done(stdout));
    });
  });

  afterAll(async () => {
    await rm(root, { recursive: true, force: true });
  });

  it.each(refused)('refuses %s', (_what, rule) => {
    expect(output).toMatch(new RegExp(`src/${rule}\\.ts:.*Error/.*\\(${rule}\\)`));
  });

  it('lets good code pass', () => {
    expect(output).not.toContain('src/good.ts');
  });
});
