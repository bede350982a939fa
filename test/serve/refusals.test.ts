import { copyFile, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { startPrivatePostgres } from '../../src/db/embedded.ts';
import { openDatabase } from '../../src/db/open.ts';
import { logInByOpenrc } from './ask.ts';
import { type BuiltCoffer, buildCoffer, type Folder } from './built-coffer.ts';
import type { Ended } from './server-process.ts';

let built: BuiltCoffer;
let folder: Folder;
let saved: string;

beforeAll(async () => {
  built = await buildCoffer();
  folder = await built.emptyFolder();
  const server = folder.serve();
  await server.ready();
  await server.stop();
  saved = join(folder.path, 'keys-saved');
  await copyFile(folder.keyring, saved);
});
beforeEach(async () => {
  await copyFile(saved, folder.keyring);
});
afterAll(async () => {
  await built.remove();
});

async function refusal(): Promise<Ended> {
  const ended = await folder.serve().end();
  expect(ended.code).toBe(78);
  expect(ended.stderr).not.toMatch(/^ {4}at /m);
  expect(ended.stderr).not.toContain('Coffer serves');
  expect(folder.postgresPids()).toEqual([]);
  return ended;
}

async function inDatabase(statement: string): Promise<Record<string, unknown>[]> {
  const postgres = await startPrivatePostgres({ dataDirectory: folder.data, log: () => {} });
  const db = openDatabase({ connection: { ...postgres.connection } });
  try {
    return (await db.query({ text: statement })).rows;
  } finally {
    await db.close();
    await postgres.stop();
  }
}

it('refuses to start without the keyring of its data, says what to do, and makes no new one', async () => {
  await rm(folder.keyring);
  const { stderr } = await refusal();
  expect(stderr).toContain(folder.keyring);
  expect(stderr).toContain('from your copy');
  await expect(readFile(folder.keyring)).rejects.toThrow('ENOENT');
  await expect(readFile(`${folder.keyring}.new`)).rejects.toThrow('ENOENT');
});

it('refuses the keyring of another installation', async () => {
  await rm(folder.keyring);
  expect((await folder.run(['keyring', 'create'])).code).toBe(0);
  const { stderr } = await refusal();
  expect(stderr).toContain('not of one installation');
});

it('refuses a keyring that others can read, or that is cut off', async () => {
  const text = await readFile(saved, 'utf8');
  await writeFile(folder.keyring, text.slice(0, 150));
  expect((await refusal()).stderr).toContain(folder.keyring);
  await writeFile(folder.keyring, '');
  expect((await refusal()).stderr).toContain(folder.keyring);
  await rm(folder.keyring);
  await writeFile(folder.keyring, text, { mode: 0o644 });
  expect((await refusal()).stderr).toContain('chmod 600');
  await rm(folder.keyring);
});

it('starts again once the keyring is back', async () => {
  const server = folder.serve();
  await server.ready();
  await logInByOpenrc(folder.openrc);
  await server.stop();
});

it('takes no emptied database for a new installation, and makes no administrator in it', async () => {
  const openrc = await readFile(folder.openrc, 'utf8');
  const refuses = async (): Promise<void> => {
    expect((await refusal()).stderr).toContain('restore it from a backup');
    expect(await inDatabase('SELECT id FROM users UNION ALL SELECT id FROM projects')).toEqual([]);
    expect(await readFile(folder.openrc, 'utf8')).toBe(openrc);
  };
  await inDatabase(
    'TRUNCATE projects, keks, users, roles, role_assignments, signing_keys, revoked_tokens, secrets',
  );
  await refuses();
  await inDatabase('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  await refuses();
  await rename(folder.data, `${folder.data}-away`);
  expect((await refusal()).stderr).toContain('restore it from a backup');
});
