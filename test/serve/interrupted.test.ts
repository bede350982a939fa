import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { rounds } from '../harness/rounds.ts';
import { logInByOpenrc, readPayload, storeText } from './ask.ts';
import { type BuiltCoffer, buildCoffer, type Folder } from './built-coffer.ts';
import type { ServerProcess } from './server-process.ts';

const MOMENTS = Math.max(6, rounds(30));

let built: BuiltCoffer;
beforeAll(async () => {
  built = await buildCoffer();
});
afterAll(async () => {
  await built.remove();
});

it('takes up a first start that was killed at any moment, with an administrator who can log in', async () => {
  const server = (await built.emptyFolder()).serve();
  // Spread over the whole of a first start here, however long that takes.
  const milliseconds = await server.ready();
  await server.stop();
  for (let n = 1; n <= MOMENTS; n += 1) {
    await killAndTakeUp(await built.emptyFolder(), [(n / MOMENTS) * milliseconds]);
  }
}, 600_000);

it('takes up a first start that was killed again and again', async () => {
  const steps = Array.from({ length: 12 }, (_, n) => 100 + n * 250);
  await killAndTakeUp(await built.emptyFolder(), steps);
}, 300_000);

it('ends on SIGTERM at any moment of a start, and leaves no process', async () => {
  for (const milliseconds of [100, 300, 600, 1_200, 2_400]) {
    const folder = await built.emptyFolder();
    const stopped = folder.serve();
    await Promise.race([sleep(milliseconds), stopped.ready().catch(() => {})]);
    const { code, signal, stderr } = await stopped.stop();
    expect(signal ?? code, stderr).toBeOneOf(['SIGTERM', 0]);
    expect(folder.postgresPids()).toEqual([]);
    const server = folder.serve();
    await server.ready();
    await prove(folder, server);
  }
}, 300_000);

it('ends on SIGTERM while PostgreSQL recovers, however long that takes, and leaves no process', async () => {
  const folder = await built.emptyFolder();
  const first = folder.serve();
  await first.ready();
  await first.stop();
  const [standby, settings, log] = [
    'postgres/standby.signal',
    'postgres/postgresql.auto.conf',
    'postgres.log',
  ].map((name) => join(folder.data, name)) as [string, string, string];
  const before = await readFile(settings, 'utf8');
  await writeFile(standby, '');
  await appendFile(settings, 'hot_standby = off\n');
  const waiting = folder.serve();
  await expect.poll(async () => await readFile(log, 'utf8')).toContain('entering standby mode');
  const { code, signal, stderr } = await waiting.stop();
  expect([code, signal, stderr]).toEqual([0, null, '']);
  expect(folder.postgresPids()).toEqual([]);
  await rm(standby);
  await writeFile(settings, before);
  const server = folder.serve();
  await server.ready();
  await prove(folder, server);
});

async function killAndTakeUp(folder: Folder, moments: readonly number[]): Promise<void> {
  for (const milliseconds of moments) {
    const killed = folder.serve();
    await Promise.race([sleep(milliseconds), killed.ready().catch(() => {})]);
    killed.kill('SIGKILL');
    await killed.end();
  }
  const server = folder.serve();
  await server.ready().catch((cause: unknown) => {
    throw new Error(`after kills at ${moments.join(', ')} ms`, { cause });
  });
  await prove(folder, server);
}

async function prove(folder: Folder, server: ServerProcess): Promise<void> {
  const token = await logInByOpenrc(folder.openrc);
  const stored = await storeText(folder.url, token, 'after all');
  expect(stored.status).toBe(201);
  expect((await readPayload(folder.url, token, stored.json.secret_ref)).text).toBe('after all');
  expect(await server.stop()).toMatchObject({ code: 0 });
  expect(folder.postgresPids()).toEqual([]);
}
