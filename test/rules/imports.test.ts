import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Imports that must be refused: from, to, the rule that refuses it. */
const refused = [
  ['src/crypto/a.ts', 'src/db/open.ts', 'crypto-imports'],
  ['src/crypto/a.ts', 'kysely', 'package-kysely'],
  ['src/policy/a.ts', 'src/db/open.ts', 'policy-imports'],
  ['src/policy/a.ts', 'node:fs', 'policy-is-pure'],
  ['src/db/a.ts', 'src/keyring/keyring.ts', 'db-imports'],
  ['src/keyring/a.ts', 'src/secrets/service.ts', 'keyring-imports'],
  ['src/operation.ts', 'src/http/errors.ts', 'operation-imports'],
  ['src/http/a.ts', 'src/db/open.ts', 'http-imports'],
  ['src/client/index.ts', 'src/http/errors.ts', 'client-imports'],
  ['src/client/index.ts', 'node:fs', 'client-has-no-run-time-dependency'],
  ['src/secrets/queries.ts', 'src/secrets/service.ts', 'slice-queries-imports'],
  ['src/secrets/queries.ts', 'src/operation.ts', 'slice-queries-imports'],
  ['src/secrets/service.ts', 'src/http/errors.ts', 'slice-service-imports'],
  ['src/secrets/service.ts', 'src/db/open.ts', 'slices-name-the-database-as-a-type'],
  ['src/secrets/metadata-service.ts', 'src/secrets/routes.ts', 'slice-service-imports'],
  ['src/secrets/routes.ts', 'src/db/open.ts', 'slice-routes-imports'],
  ['src/secrets/routes.ts', 'src/secrets/queries.ts', 'slice-routes-imports'],
  ['src/secrets/service.ts', 'fastify', 'package-fastify'],
  ['src/secrets/service.ts', 'kysely', 'package-kysely'],
  ['src/secrets/service.ts', 'src/containers/service.ts', 'secrets-reaches-left-only'],
  ['src/containers/service.ts', 'src/secrets/queries.ts', 'queries-are-private-to-their-slice'],
  ['src/http/b.ts', 'src/cli/main.ts', 'only-the-top-imports-the-top'],
  ['src/identity/service.ts', 'src/app.ts', 'identity-imports'],
  ['src/app.ts', 'src/client/index.ts', 'nothing-imports-the-client-but-the-commands'],
  ['src/app.ts', 'src/secrets/service.ts', 'app-imports'],
  ['src/serve.ts', 'test/harness/a.ts', 'product-never-imports-tests'],
  ['src/plugins/a.ts', 'src/errors.ts', 'unknown-area'],
  ['migrations/0001_a.ts', 'src/secrets/service.ts', 'migrations-imports'],
] as const;

/** Imports as the house wants them. */
const taken = [
  ['src/crypto/ok.ts', 'src/errors.ts'],
  ['src/keyring/ok.ts', 'src/crypto/ok.ts'],
  ['src/orders/queries.ts', 'src/db/open.ts'],
  ['src/orders/service.ts', 'src/orders/queries.ts'],
  ['src/orders/service.ts', 'src/quotas/service.ts'],
  ['src/orders/routes.ts', 'src/orders/service.ts'],
  ['src/orders/routes.ts', 'fastify'],
  ['src/cli/ok.ts', 'src/client/index.ts'],
] as const;

interface Cruise {
  summary: { violations: { from: string; to: string; rule: { name: string } }[] };
}

async function writeTree(
  root: string,
  imports: readonly (readonly [string, string, ...string[]])[],
): Promise<void> {
  const texts = new Map<string, string>();
  for (const [from, to] of imports) {
    const isFile = to.endsWith('.ts');
    const up = '../'.repeat(dirname(from).split('/').length);
    const line = `import ${JSON.stringify(isFile ? up + to : to)};\n`;
    texts.set(from, (texts.get(from) ?? '') + line);
    if (isFile && !texts.has(to)) texts.set(to, '');
  }
  for (const [path, text] of texts) {
    await mkdir(join(root, dirname(path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  for (const name of ['kysely', 'fastify']) {
    await mkdir(join(root, 'node_modules', name), { recursive: true });
    await writeFile(join(root, 'node_modules', name, 'index.js'), '');
    await writeFile(
      join(root, 'node_modules', name, 'package.json'),
      JSON.stringify({ name, version: '1.0.0' }),
    );
  }
  const dependencies = { kysely: '1.0.0', fastify: '1.0.0' };
  await writeFile(join(root, 'package.json'), JSON.stringify({ type: 'module', dependencies }));
}

describe('the import rules', () => {
  let root: string;
  let found: string[];

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'coffer-imports-'));
    await writeTree(root, [...refused, ...taken]);
    await cp('tsconfig.json', join(root, 'tsconfig.json'));
    await cp('.dependency-cruiser.mjs', join(root, '.dependency-cruiser.mjs'));
    const command = resolve('node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
    const args = [
      command,
      '--config',
      '.dependency-cruiser.mjs',
      '--output-type',
      'json',
      'src',
      'migrations',
      'test',
    ];
    const output = await new Promise<string>((done) => {
      execFile(process.execPath, args, { cwd: root, maxBuffer: 2 ** 26 }, (_error, stdout) => done(stdout));
    });
    const cruise = JSON.parse(output) as Cruise;
    found = cruise.summary.violations.map(({ from, to, rule }) => `${from} → ${to}: ${rule.name}`);
  });

  afterAll(async () => {
    await rm(root, { recursive: true, force: true });
  });

  it.each(refused)('refuse that %s imports %s', (from, to, rule) => {
    const target = to.endsWith('.ts') ? to : to.replace(/^node:/, '');
    expect(
      found.some((line) => line.startsWith(`${from} → `) && line.includes(target) && line.endsWith(rule)),
    ).toBe(true);
  });

  it.each(taken)('let %s import %s', (from, to) => {
    expect(found.filter((line) => line.startsWith(`${from} → `) && line.includes(to))).toEqual([]);
  });
});
