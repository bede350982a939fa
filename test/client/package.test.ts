import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ScriptedServer, startScriptedServer } from './scripted-server.ts';

const run = promisify(execFile);
const id = '3b6c1a52-7d5e-4f0a-9c1b-2a3d4e5f6071';
const GZIPPED_BYTES_MAX = 12 * 1024;

let place: string;
let project: string;
let server: ScriptedServer;

/** Builds from a copy, as the package's own script does, packs, and unpacks where an installation would. */
beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'coffer-package-'));
  const source = join(place, 'source');
  for (const name of ['package.json', 'tsconfig.json', '.tsconfig.client.json', 'src/client']) {
    cpSync(name, join(source, name), { recursive: true });
  }
  symlinkSync(resolve('node_modules'), join(source, 'node_modules'));
  await run('npm', ['run', '-s', 'build:client'], { cwd: source });
  const destination = ['--pack-destination', place];
  const packed = await run('npm', ['pack', '--silent', '--ignore-scripts', ...destination], { cwd: source });
  project = join(place, 'project');
  const target = join(project, 'node_modules', 'coffer');
  mkdirSync(target, { recursive: true });
  const tarball = join(place, packed.stdout.trim().split('\n').at(-1)!);
  await run('tar', ['-xzf', tarball, '-C', target, '--strip-components=1']);
  writeFileSync(join(project, 'package.json'), '{"name":"empty","private":true}\n');
  server = await startScriptedServer((_seen, reply) => void reply.raw.end('value'));
});

afterAll(async () => {
  await server.close();
  rmSync(place, { recursive: true, force: true });
});

const useIt = `
  const coffer = new Coffer({ url: process.argv[2], credentials: { type: 'token', token: 'tok' } });
  coffer.secrets.payload('${id}').then((value) => {
    if (!(value instanceof SecretValue)) throw new Error('another class');
    console.log(String(value), value.text());
  });
`;

async function runProject(file: string, text: string): Promise<string> {
  writeFileSync(join(project, file), text);
  return (await run(process.execPath, [file, server.url], { cwd: project })).stdout;
}

it('works in an empty project of ES modules, with nothing else installed', async () => {
  const text = `import { Coffer, SecretValue } from 'coffer/client';${useIt}`;
  expect(await runProject('use.mjs', text)).toBe(`[secret ${id}] value\n`);
});

it('works in an empty project of CommonJS', async () => {
  const text = `const { Coffer, SecretValue } = require('coffer/client');${useIt}`;
  expect(await runProject('use.cjs', text)).toBe(`[secret ${id}] value\n`);
});

it('has types that a strict TypeScript project takes, as ES module and as CommonJS, without other types', async () => {
  const text = `
    import { Coffer, CofferError, type Secret, type SecretPage, SecretValue } from 'coffer/client';
    const coffer = new Coffer({ url: 'https://vault.example', credentials: { type: 'token', token: 't' } });
    export async function names(): Promise<(string | null)[]> {
      const found: (string | null)[] = [];
      for await (const secret of coffer.secrets.list({ type: 'passphrase' })) found.push(secret.name);
      return found;
    }
    export const page: Promise<SecretPage> = coffer.secrets.page();
    export const secret: Promise<Secret> = coffer.secrets.get('x', { signal: new AbortController().signal });
    export const value: SecretValue = new SecretValue('n', new Uint8Array());
    export const retryable = (error: unknown): boolean => error instanceof CofferError && error.retryable;
    // @ts-expect-error a value is no string
    export const wrong: string = value;
    // @ts-expect-error there is no such type of secret
    void coffer.secrets.create({ type: 'password' });
  `;
  writeFileSync(join(project, 'esm.mts'), text);
  writeFileSync(join(project, 'cjs.cts'), text);
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2022', 'dom'],
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
  };
  const config = { compilerOptions, files: ['esm.mts', 'cjs.cts'] };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config));
  const tsc = resolve('node_modules/typescript/bin/tsc');
  const told = await run(process.execPath, [tsc, '-p', '.'], { cwd: project }).catch(
    (error: unknown) => error as { stdout: string },
  );
  expect(told.stdout).toBe('');
});

it('is at most 12 KB, bundled, minified and gzipped, in both forms, and imports nothing', () => {
  for (const file of ['index.js', 'index.cjs']) {
    const text = readFileSync(join(project, 'node_modules/coffer/dist/client', file));
    expect(gzipSync(text, { level: 9 }).length).toBeLessThanOrEqual(GZIPPED_BYTES_MAX);
    expect(text.toString()).not.toMatch(/\brequire\(|\bimport\s*[("'{*]/);
  }
});
