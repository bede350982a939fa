import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readPostmasterPid } from '../../src/db/embedded-process.ts';
import { type Answer, ask, isServing, logInByOpenrc, readPayload, storeText } from './ask.ts';
import { type BuiltCoffer, buildCoffer, type Folder } from './built-coffer.ts';
import { beginStore, exchange, keepConnection } from './half-request.ts';

let built: BuiltCoffer;
let folder: Folder;

beforeAll(async () => {
  built = await buildCoffer();
  folder = await built.emptyFolder();
});
afterAll(async () => {
  await built.remove();
});

it('ends requests in flight on SIGTERM, takes no new ones, and leaves no process', async () => {
  const server = folder.serve();
  await server.ready();
  const token = await logInByOpenrc(folder.openrc);
  const kept = await keepConnection(folder.port);
  const slow = await beginStore(folder.port, token, 'stored while draining');
  server.kill('SIGTERM');
  await expect.poll(() => server.stderr).toContain('Stopping');
  await expect.poll(async () => await isServing(folder)).toBe(false);
  const late = await exchange(kept, 'GET /identity/v3 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  expect(late).not.toMatch(/HTTP\/1.1 (?!503)/);
  const answer = await slow.finish();
  expect(answer).toMatch(/^HTTP\/1.1 201 /);
  expect(answer.toLowerCase()).toContain('connection: close');
  expect(await server.end()).toMatchObject({ code: 0, signal: null });
  expect(folder.postgresPids()).toEqual([]);

  const next = folder.serve();
  await next.ready();
  const { secret_ref } = JSON.parse(answer.slice(answer.indexOf('{'), answer.lastIndexOf('}') + 1));
  expect((await readPayload(folder.url, token, secret_ref)).text).toBe('stored while draining');
  await next.stop();
});

it('ends in order when its terminal is closed, and leaves no process', async () => {
  const said = join(folder.path, 'said');
  const program = join(folder.path, '..', 'dist', 'coffer.js');
  const words = ['-qec', `exec '${process.execPath}' '${program}' serve 2> '${said}'`, '/dev/null'];
  // A terminal of its own, which is gone with its `script`.
  const terminal = spawn('script', words, { cwd: folder.path, env: { ...process.env, ...folder.env } });
  const saidSoFar = (): string => (existsSync(said) ? readFileSync(said, 'utf8') : '');
  await expect.poll(saidSoFar, { timeout: 30_000 }).toContain('Coffer serves ');
  terminal.kill('SIGKILL');
  await expect.poll(saidSoFar, { timeout: 20_000 }).toContain('Stopping: ');
  await expect.poll(() => folder.postgresPids(), { timeout: 20_000 }).toEqual([]);
  await expect(ask(`${folder.url}/health/live`)).rejects.toThrow();
});

it('starts after kill -9 of the server on all that was acknowledged, with no stray process', async () => {
  const first = folder.serve();
  await first.ready();
  const token = await logInByOpenrc(folder.openrc);
  const stored = await storeText(folder.url, token, 'before the kill');
  const before = folder.postgresPids();
  expect(before.length).toBeGreaterThan(0);
  first.kill('SIGKILL');
  expect(await first.end()).toMatchObject({ signal: 'SIGKILL' });

  const next = folder.serve();
  console.info(`start after kill -9 of the server: ${(await next.ready()).toFixed(0)} ms`);
  expect(folder.postgresPids().filter((pid) => before.includes(pid))).toEqual([]);
  expect((await readPayload(folder.url, token, stored.json.secret_ref)).text).toBe('before the kill');
  await next.stop();
  expect(folder.postgresPids()).toEqual([]);
});

it('answers 503 while a killed PostgreSQL is away, and is back by itself', async () => {
  const server = folder.serve();
  await server.ready();
  const token = await logInByOpenrc(folder.openrc);
  const reference = (await storeText(folder.url, token, 'kept')).json.secret_ref;
  for (const _ of ['once', 'again', 'and again']) {
    process.kill(readPostmasterPid(`${folder.data}/postgres`)!, 'SIGKILL');
    const { answers, milliseconds } = await askUntilBack(folder, token, reference);
    const statuses = [...new Set(answers.map(({ status }) => status))];
    console.info(`PostgreSQL away for ${milliseconds.toFixed(0)} ms; statuses ${statuses.join(', ')}`);
    expect(statuses.filter((status) => ![200, 201, 503].includes(status))).toEqual([]);
    const refusals = answers.filter(({ status }) => status === 503);
    expect(refusals.length).toBeGreaterThan(0);
    expect(refusals.filter(({ headers }) => !/^[1-9]\d*$/.test(headers.get('retry-after') ?? ''))).toEqual(
      [],
    );
  }
  expect((await ask(`${folder.url}/health/ready`)).status).toBe(200);
  await logInByOpenrc(folder.openrc);
  expect(await server.stop()).toMatchObject({ code: 0 });
  expect(folder.postgresPids()).toEqual([]);
});

/** Readers, writers and log-ins at once, until each of them is answered well again. */
async function askUntilBack(
  { url, openrc }: Folder,
  token: string,
  reference: string,
): Promise<{ answers: Answer[]; milliseconds: number }> {
  const begun = performance.now();
  const answers: Answer[] = [];
  const kinds: (() => Promise<Answer>)[] = [
    async () => await ask(`${url}/v1/secrets`, { token }),
    async () => await readPayload(url, token, reference),
    async () => await storeText(url, token, 'while it is away'),
    async () => await ask(`${url}/health/ready`),
    async () => await ask(`${url}/identity/v3/auth/projects`, { token }),
  ];
  const askOften = async (kind: () => Promise<Answer>): Promise<void> => {
    let well = 0;
    while (well < 3) {
      const answer = await kind();
      answers.push(answer);
      well = answer.status < 300 ? well + 1 : 0;
      if (performance.now() - begun > 20_000) throw new Error(`not back: ${answer.status} ${answer.text}`);
      await sleep(10);
    }
  };
  const logsIn = async (): Promise<void> => {
    await expect.poll(async () => await logInByOpenrc(openrc), { timeout: 20_000 }).toBeTruthy();
  };
  await Promise.all([...kinds.flatMap((kind) => [askOften(kind), askOften(kind)]), logsIn()]);
  return { answers, milliseconds: performance.now() - begun };
}
