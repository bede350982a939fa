import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../harness/database.ts';
import { ask, asJson, logInByOpenrc, readPayload, storeText } from './ask.ts';
import { type BuiltCoffer, buildCoffer, type Folder } from './built-coffer.ts';
import { findFreePort } from './free-port.ts';

// Two servers and a worker on one database, with two stores that are split, each in its own way.

let built: BuiltCoffer;
let database: TestDatabase;
let folder: Folder;
let shares: string[];
let all: string[];

beforeAll(async () => {
  built = await buildCoffer();
  database = await createDatabase({ migrated: false });
  folder = await built.emptyFolder({ COFFER_DATABASE_URL: database.url, COFFER_WORKER: 'off' });
  const first = await folder.run(['keyring', 'create', 'keys', '--split', '2/2', '-o', 'raw']);
  const second = ['keyring', 'create', 'more', '--split', '2/3', '-o', 'raw', '--installation-of', 'keys'];
  folder.env['COFFER_STORES'] = 'main=software:keys,second=software:more';
  const output = first.stdout + (await folder.run(second)).stdout;
  shares = output.trim().split('\n');
  expect(shares).toHaveLength(5);
  const file = join(folder.path, 'shares');
  await writeFile(file, output, { mode: 0o600 });
  all = ['--shares-from', file];
  expect(await folder.run(['migrate'])).toMatchObject({ code: 0 });
  expect(await folder.run(['bootstrap', ...all])).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await built.remove();
  await database.drop();
});

it('are unsealed each by itself, with the shares of all their stores', async () => {
  const port = await findFreePort();
  const other = { COFFER_LISTEN: `127.0.0.1:${port}` };
  const url = `http://127.0.0.1:${port}`;
  const [one, two] = [folder.serve(), folder.serve(other)];
  await Promise.all([one.sealed(), two.sealed()]);
  const give = async (at: string, ...some: string[]) =>
    await folder.run(['unseal', '--url', at], { stdin: some.join('\n') });
  const [a = '', b = '', c = '', , e = ''] = shares;
  expect((await give(folder.url, e, a)).stdout).toContain('"threshold": 4');
  expect((await ask(`${url}/v2/sys/unseal`)).json).toEqual({ sealed: true, threshold: 4, given: 0 });
  expect((await give(folder.url, b, c)).stdout).toContain('"sealed": "no"');
  await one.ready();

  const token = await logInByOpenrc(folder.openrc);
  const { json } = await storeText(folder.url, token, 'of both servers');
  expect((await readPayload(url, token, json.secret_ref)).status).toBe(503);
  expect((await ask(`${url}/health/ready`)).json).toEqual({ status: 'not ready', reason: 'sealed' });
  expect((await give(url, ...shares)).stdout).toContain('"sealed": "no"');
  await two.ready();
  expect((await readPayload(url, token, json.secret_ref)).text).toBe('of both servers');

  const order = { type: 'key', meta: { algorithm: 'aes', bit_length: 256, name: 'k' } };
  const made = await ask(`${url}/v1/orders`, { ...asJson(order), token });
  const worker = folder.work({}, all);
  const path = new URL(made.json.order_ref).pathname;
  const stateOf = async () => (await ask(`${url}${path}`, { token })).json.status;
  await expect.poll(stateOf, { timeout: 60_000 }).toBe('ACTIVE');
  for (const process of [worker, one, two]) expect(await process.stop()).toMatchObject({ code: 0 });
});

it('have no worker beside them without shares, and no command', async () => {
  const worker = await folder.work().end();
  expect([worker.code, worker.stderr]).toEqual([78, expect.stringContaining('any 2 of its 2 shares')]);
  const command = await folder.run(['project', 'create', 'shop']);
  expect(command.code).toBe(78);
  const few = await folder.run(['project', 'create', 'shop', '--shares-from', '-'], {
    stdin: shares.slice(2).join('\n'),
  });
  expect([few.code, few.stderr]).toEqual([78, expect.stringContaining('needs 4 shares, and 2 were given')]);
  expect((await folder.run(['project', 'create', 'shop', ...all])).code).toBe(0);
});
