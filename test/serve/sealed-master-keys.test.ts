import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask, logInByOpenrc, readPayload, storeText } from './ask.ts';
import { type BuiltCoffer, buildCoffer, type Folder } from './built-coffer.ts';
import type { ServerProcess } from './server-process.ts';

// Master keys of a split keyring, changed while a server has it open.

let built: BuiltCoffer;
let folder: Folder;
let shares: string[];
let all: string[];

beforeAll(async () => {
  built = await buildCoffer();
  folder = await built.emptyFolder();
  const made = await folder.run(['keyring', 'create', '--split', '2/3', '-o', 'raw']);
  shares = made.stdout.trim().split('\n');
  const file = join(folder.path, 'shares');
  await writeFile(file, made.stdout, { mode: 0o600 });
  all = ['--shares-from', file];
  expect(await folder.run(['bootstrap', ...all])).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await built.remove();
});

async function startUnsealed(some: readonly string[]): Promise<ServerProcess> {
  const server = folder.serve();
  await server.sealed();
  expect(await folder.run(['unseal'], { stdin: some.join('\n') })).toMatchObject({ code: 0 });
  await server.ready();
  return server;
}

/** Their ids, with what each is. */
async function listMasterKeys(): Promise<string[]> {
  const { stdout } = await folder.run(['master-key', 'list', '-o', 'json', ...all]);
  return (JSON.parse(stdout) as { id: string; state: string }[]).map(({ id, state }) => `${id} ${state}`);
}

it('are added, rotated and retired by commands with shares, and picked up on SIGHUP without any', async () => {
  const server = await startUnsealed(shares.slice(1));
  const token = await logInByOpenrc(folder.openrc);
  const { json } = await storeText(folder.url, token, 'of the first master key');
  const [old = ''] = (await listMasterKeys()).map((line) => line.split(' ')[0]);

  const added = await folder.run(['master-key', 'add', 'next', ...all]);
  expect([added.code, added.stdout]).toEqual([0, expect.stringContaining('next')]);
  server.kill('SIGHUP');
  await expect.poll(() => server.stdout).toContain('a keyring was read again');
  const rotated = await folder.run(['master-key', 'rotate', '--to', 'next', ...all]);
  expect([rotated.code, rotated.stderr.includes('Not moved')]).toEqual([0, false]);
  const second = await storeText(folder.url, token, 'of the next master key');
  expect((await readPayload(folder.url, token, second.json.secret_ref)).status).toBe(200);
  expect(await folder.run(['master-key', 'retire', old, '--yes', ...all])).toMatchObject({ code: 0 });
  server.kill('SIGHUP');
  expect((await readPayload(folder.url, token, json.secret_ref)).text).toBe('of the first master key');
  expect(await server.stop()).toMatchObject({ code: 0 });
});

it('open with the same shares after a restart', async () => {
  const server = await startUnsealed(shares.slice(0, 2));
  const token = await logInByOpenrc(folder.openrc);
  expect((await storeText(folder.url, token, 'after a restart')).status).toBe(201);
  expect(await listMasterKeys()).toEqual([expect.stringMatching(/^mk-.* retired$/), 'next active']);
  await server.stop();
});

it('stay as they were when the keyring was split anew, until the server is unsealed with the new shares', async () => {
  const server = await startUnsealed(shares.slice(0, 2));
  const anew = await folder.run(['keyring', 'split', '2/2', '-o', 'raw', ...all]);
  expect(anew.code).toBe(0);
  server.kill('SIGHUP');
  await expect.poll(() => server.stdout).toContain('only its new shares open it');
  const token = await logInByOpenrc(folder.openrc);
  expect((await storeText(folder.url, token, 'as before')).status).toBe(201);
  await server.stop();
  const next = await startUnsealed(anew.stdout.trim().split('\n'));
  expect((await ask(`${folder.url}/health/ready`)).status).toBe(200);
  await next.stop();
});

it('wait for the shares when SIGHUP comes while the server is sealed', async () => {
  const server = folder.serve();
  await server.sealed();
  server.kill('SIGHUP');
  expect((await ask(`${folder.url}/health/live`)).status).toBe(200);
  expect((await ask(`${folder.url}/health/ready`)).json.reason).toBe('sealed');
  expect(await server.stop()).toMatchObject({ code: 0 });
});
