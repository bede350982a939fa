import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask, isServing, logInByOpenrc, readPayload, storeText } from './ask.ts';
import { type BuiltCoffer, buildCoffer, type Folder } from './built-coffer.ts';
import { beginStore, exchange, keepConnection } from './half-request.ts';
import type { ServerProcess } from './server-process.ts';

let built: BuiltCoffer;
let folder: Folder;
let shares: string[];

beforeAll(async () => {
  built = await buildCoffer();
  folder = await built.emptyFolder();
  const made = await folder.run(['keyring', 'create', '--split', '3/5', '-o', 'raw']);
  expect([made.code, made.stderr]).toEqual([0, expect.stringContaining('fewer than 3 shares')]);
  shares = made.stdout.trim().split('\n');
  expect(shares).toHaveLength(5);
});
afterAll(async () => {
  await built.remove();
});

const unseal = async (...some: string[]) => {
  const { code, stdout, stderr } = await folder.run(['unseal'], { stdin: some.join('\n') });
  return { code, stderr, ...(stdout === '' ? {} : (JSON.parse(stdout) as object)) };
};

async function startSealed(): Promise<ServerProcess> {
  const server = folder.serve();
  await server.sealed();
  return server;
}

const stateOf = async () => (await ask(`${folder.url}/v2/sys/unseal`)).json;

it('is made by keyring create and bootstrap, which asks for the shares', async () => {
  const without = await folder.run(['bootstrap']);
  expect([without.code, without.stderr]).toEqual([
    78,
    expect.stringContaining('any 3 of its 5 shares open it'),
  ]);
  const few = await folder.run(['bootstrap', '--shares-from', '-'], { stdin: shares.slice(3).join('\n') });
  expect([few.code, few.stderr]).toEqual([78, expect.stringContaining('needs 3 shares, and 2 were given')]);
  const whole = await folder.run(['bootstrap', '--shares-from', '-'], { stdin: shares.slice(1).join('\n') });
  expect([whole.code, whole.stdout]).toEqual([0, expect.stringContaining('administrator')]);
});

it('starts sealed, serves on the same port after three holders gave their shares, and drains on SIGTERM', async () => {
  const server = await startSealed();
  const kept = await keepConnection(folder.port);
  const refused = await ask(`${folder.url}/v1/secrets`);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '30']);
  expect(await unseal(shares[0]!)).toMatchObject({ code: 0, sealed: 'yes', given: 1, threshold: 3 });
  expect(await unseal(shares[2]!)).toMatchObject({ code: 0, sealed: 'yes', given: 2, threshold: 3 });
  expect(server.stderr).not.toContain('Coffer serves');
  expect(await unseal(shares[4]!)).toMatchObject({ code: 0, sealed: 'no' });
  await server.ready();
  expect((await ask(`${folder.url}/health/ready`)).json).toEqual({ status: 'ready' });
  expect(await stateOf()).toEqual({ sealed: false });
  const last = ['GET /identity/v3 HTTP/1.1', 'Host: 127.0.0.1', 'Connection: close'];
  const old = await exchange(kept, `${last.join('\r\n')}\r\n\r\n`);
  expect(old).toMatch(/^HTTP\/1.1 200 /);
  const broken = await exchange(await keepConnection(folder.port), 'no request of HTTP\r\n\r\n');
  expect(broken.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 400']);

  const token = await logInByOpenrc(folder.openrc);
  const { json } = await storeText(folder.url, token, 'under a split keyring');
  expect((await readPayload(folder.url, token, json.secret_ref)).text).toBe('under a split keyring');
  expect(await unseal(shares[0]!)).toMatchObject({ code: 0, sealed: 'no' });

  const slow = await beginStore(folder.port, token, 'stored while draining');
  server.kill('SIGTERM');
  await expect.poll(() => server.stderr).toContain('Stopping');
  await expect.poll(async () => await isServing(folder)).toBe(false);
  expect(await slow.finish()).toMatch(/^HTTP\/1.1 201 /);
  expect(await server.end()).toMatchObject({ code: 0, signal: null });
  expect(folder.postgresPids()).toEqual([]);
});

it('is sealed again after a restart, and after kill -9 while half unsealed, with nothing of what was given', async () => {
  const killed = await startSealed();
  expect(await unseal(shares[1]!, shares[2]!)).toMatchObject({ given: 2 });
  killed.kill('SIGKILL');
  await killed.ended;
  const server = await startSealed();
  expect(await stateOf()).toEqual({ sealed: true, threshold: 3, given: 0 });
  expect(await unseal(shares[3]!, shares[1]!, shares[0]!)).toMatchObject({ code: 0, sealed: 'no' });
  await server.ready();
  expect(await server.stop()).toMatchObject({ code: 0 });
});

it('ends in order on SIGTERM while sealed, also half unsealed', async () => {
  for (const given of [0, 2]) {
    const server = await startSealed();
    if (given > 0) await unseal(...shares.slice(0, given));
    expect(await server.stop()).toMatchObject({ code: 0, signal: null });
    expect(folder.postgresPids()).toEqual([]);
  }
});

it('tells whoever gave the last share that the server does not start, and ends with 78', async () => {
  const other = await built.emptyFolder();
  const made = await other.run(['keyring', 'create', '--split', '2/2', '-o', 'raw']);
  const server = other.serve();
  await server.sealed();
  const given = await other.run(['unseal'], { stdin: made.stdout });
  expect([given.code, given.stderr]).toEqual([8, expect.stringContaining('the server does not start')]);
  expect(await server.end()).toMatchObject({ code: 78, stderr: expect.stringContaining('coffer bootstrap') });
});

it('lets the holders split it anew, after which the older shares open nothing', async () => {
  const file = join(folder.path, 'shares');
  writeFileSync(file, shares.slice(0, 3).join('\n'), { mode: 0o600 });
  const anew = await folder.run(['keyring', 'split', '2/3', '-o', 'raw', '--shares-from', file]);
  expect([anew.code, anew.stderr]).toEqual([0, expect.stringContaining('any 2 of 3 shares')]);
  const server = await startSealed();
  expect(await unseal(shares[0]!)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('earlier split'),
  });
  const [first = '', , third = ''] = anew.stdout.split('\n');
  expect(await unseal(third, first)).toMatchObject({ code: 0, sealed: 'no' });
  await server.ready();
  await logInByOpenrc(folder.openrc);
  await server.stop();
});
