import { chmod, readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startCoffer } from '../harness/start-coffer.ts';
import { logInByOpenrc, readPayload, storeText } from './ask.ts';
import { type BuiltCoffer, buildCoffer, type Folder } from './built-coffer.ts';
import type { ServerProcess } from './server-process.ts';

const IN_FLIGHT = 50;

let built: BuiltCoffer;
let folder: Folder;
let server: ServerProcess;
let token: string;
let references: string[];

beforeAll(async () => {
  built = await buildCoffer();
  folder = await built.emptyFolder();
  server = folder.serve();
  await server.ready();
  token = await logInByOpenrc(folder.openrc);
  const stored = Array.from(
    { length: IN_FLIGHT },
    async (_, n) => await storeText(folder.url, token, `text ${n}`),
  );
  references = (await Promise.all(stored)).map(({ json }) => json.secret_ref);
});

afterAll(async () => await built.remove());

const coffer = async (line: string) => await folder.run(line.split(' '));

/** What the log says of keyrings, in order; its last line may not be whole yet. */
const said = (process: ServerProcess): { level: number; msg: string }[] =>
  process.stdout
    .split('\n')
    .slice(0, -1)
    .filter((line) => line.includes(' keyring '))
    .map((line) => JSON.parse(line));

async function reload(): Promise<Record<string, unknown>> {
  const before = said(server).length;
  server.kill('SIGHUP');
  await expect.poll(() => said(server).length, { interval: 5 }).toBeGreaterThan(before);
  return said(server)[before] as unknown as Record<string, unknown>;
}

/** Readers and a writer that never pause, until they are told to; gives every status that they got. */
function keepAsking(): () => Promise<Record<number, number>> {
  let isOver = false;
  const statuses: Record<number, number> = {};
  const count = ({ status }: { status: number }): void =>
    void (statuses[status] = (statuses[status] ?? 0) + 1);
  const readers = references.map(async (reference) => {
    while (!isOver) count(await readPayload(folder.url, token, reference));
  });
  const writer = async (): Promise<void> => {
    while (!isOver) count(await storeText(folder.url, token, 'meanwhile'));
  };
  const all = Promise.all([...readers, writer()]);
  return async () => {
    isOver = true;
    await all;
    return statuses;
  };
}

it('picks a new master key up on SIGHUP, and lets a retired one go, with 50 requests in flight', async () => {
  const [, old = ''] = /^key (\S+) /m.exec(await readFile(folder.keyring, 'utf8')) ?? [];
  const end = keepAsking();
  expect(await coffer('master-key add mk-next')).toMatchObject({ code: 0 });
  expect(await reload()).toMatchObject({ store: 'software', added: ['mk-next'], removed: [] });
  for (let turn = 0; turn < 10; turn += 1) await reload();
  expect(await coffer('master-key rotate --to mk-next')).toMatchObject({ code: 0 });
  expect(await coffer(`master-key retire ${old} --yes`)).toMatchObject({ code: 0 });
  expect(await reload()).toMatchObject({ added: [], removed: [old], masterKeys: ['mk-next'] });
  for (let turn = 0; turn < 10; turn += 1) await reload();
  expect(await coffer('kek rotate --all --rest 0')).toMatchObject({ code: 0 });
  const { 200: read = 0, 201: written = 0, ...others } = await end();
  expect(others).toEqual({});
  expect(read).toBeGreaterThan(IN_FLIGHT);
  expect(written).toBeGreaterThan(0);
});

it('refuses a file that it cannot use, says why, and goes on with the keys that it has', async () => {
  const good = await readFile(folder.keyring);
  const [, hex = ''] = /^key mk-next ([0-9a-f]{64})/m.exec(good.toString()) ?? [];
  const cases: [string, string][] = [
    [
      good.toString().replace(/^installation .*$/m, `installation ${'1'.repeat(32)}`),
      'of another installation',
    ],
    [good.toString().replace(hex, 'f'.repeat(64)), 'has another key mk-next than before'],
    [good.toString().replace('mk-next', 'mk-other'), 'lacks mk-next'],
    ['nonsense', "line 1: a line begins with 'installation', 'key' or '#'"],
  ];
  for (const [content, reason] of cases) {
    await writeFile(folder.keyring, content);
    expect(await reload()).toMatchObject({ reason: expect.stringContaining(reason) as string });
  }
  await writeFile(folder.keyring, good);
  await chmod(folder.keyring, 0o644);
  expect(await reload()).toMatchObject({ reason: expect.stringContaining('chmod 600') as string });
  await chmod(folder.keyring, 0o600);
  expect((await readPayload(folder.url, token, references[0]!)).text).toBe('text 0');
  expect((await storeText(folder.url, token, 'still')).status).toBe(201);
  expect(await reload()).toMatchObject({ added: [], removed: [] });
  expect(server.stdout + server.stderr).not.toContain(hex.slice(0, 12));
  expect(await server.stop()).toMatchObject({ code: 0, signal: null });
});

it('reads the files of all stores again, in a worker as well', async () => {
  const own = await built.emptyFolder();
  const stores = `main=software:${own.path}/keys,second=software:${own.path}/keys2`;
  const beside = await startCoffer({
    env: { COFFER_STORES: stores, COFFER_KEYRING_FILE: `${own.path}/keys` },
  });
  const files = await built.emptyFolder({ ...beside.env });
  const worker = files.work();
  await expect.poll(() => worker.stderr, { timeout: 60_000 }).toContain('Coffer runs jobs.');
  const added = await files.run(['master-key', 'add', 'mk-second', '--store', 'second']);
  expect(added).toMatchObject({ code: 0 });
  worker.kill('SIGHUP');
  await expect.poll(() => said(worker).length).toBe(2);
  expect(said(worker)).toMatchObject([
    { store: 'main', added: [], masterKeys: ['mk-test'] },
    { store: 'second', added: ['mk-second'], masterKeys: ['mk-test', 'mk-second'] },
  ]);
  expect(await worker.stop()).toMatchObject({ code: 0, signal: null });
  await beside.stop();
});
