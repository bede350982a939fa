import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../harness/database.ts';
import { rounds } from '../harness/rounds.ts';
import { ask, asJson, logInByOpenrc } from './ask.ts';
import { type BuiltCoffer, buildCoffer, type Folder } from './built-coffer.ts';
import { findFreePort } from './free-port.ts';
import type { ServerProcess } from './server-process.ts';

let built: BuiltCoffer;
let database: TestDatabase;
let folder: Folder;
let token: string;
let server: ServerProcess;
let client: pg.Client;

beforeAll(async () => {
  built = await buildCoffer();
  database = await createDatabase({ migrated: false });
  folder = await built.emptyFolder({ COFFER_DATABASE_URL: database.url, COFFER_WORKER: 'off' });
  for (const args of [['migrate'], ['keyring', 'create'], ['bootstrap']]) {
    expect((await folder.run(args)).code).toBe(0);
  }
  server = folder.serve();
  await server.ready();
  token = await logInByOpenrc(folder.openrc);
  client = new pg.Client(database.url);
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await server.stop();
  await built.remove();
  await database.drop();
});

async function startWorker(env: Record<string, string> = {}): Promise<ServerProcess> {
  const worker = folder.work(env);
  await expect.poll(() => worker.stderr, { timeout: 60_000 }).toContain('Coffer runs jobs.');
  return worker;
}

async function submit(type: string, meta: object): Promise<string> {
  const answer = await ask(`${folder.url}/v1/orders`, { ...asJson({ type, meta }), token });
  expect(answer.status).toBe(202);
  return String(answer.json.order_ref);
}

async function waiting(): Promise<number> {
  const { rows } = await client.query<{ n: string }>(
    `SELECT count(*) AS n FROM orders WHERE status = 'PENDING'`,
  );
  return Number(rows[0]?.n);
}

it('gives each order one result, however often the processes that work on it are killed', async () => {
  const kills = rounds(60);
  const references: string[] = [];
  const key = { algorithm: 'aes', bit_length: 256 };
  const pair = { algorithm: 'rsa', bit_length: 1024, passphrase: 'words' };
  for (let round = 0; round < kills; round += 1) {
    for (let count = 0; count < 10; count += 1) references.push(await submit('key', key));
    for (let count = 0; count < 3; count += 1) references.push(await submit('asymmetric', pair));
    const worker = await startWorker();
    await sleep(((round * 137) % 900) + 50);
    worker.kill('SIGKILL');
    expect((await worker.end()).signal).toBe('SIGKILL');
    await client.query('UPDATE order_leases SET due = now()');
  }
  const before = await waiting();
  const last = await startWorker();
  await expect.poll(waiting, { timeout: 60_000 }).toBe(0);
  expect(await last.stop()).toMatchObject({ code: 0, signal: null });
  console.info(`${references.length} orders, ${kills} workers killed, ${before} orders left to the last one`);
  const { rows } = await client.query<{ type: string; status: string; reason: string | null }>(
    'SELECT type, status, error_reason AS reason FROM orders',
  );
  expect(rows).toHaveLength(references.length);
  const active = (wanted: string): number =>
    rows.filter(({ type, status }) => type === wanted && status === 'ACTIVE').length;
  // Who is killed five times with the same order has tried it five times.
  for (const { status, reason } of rows) {
    if (status !== 'ACTIVE') expect(reason).toContain('Process TypeOrder failure seen');
  }
  const count = async (table: string): Promise<number> =>
    Number((await client.query<{ n: string }>(`SELECT count(*) AS n FROM ${table}`)).rows[0]?.n);
  expect(await count('secrets')).toBe(active('key') + 3 * active('asymmetric'));
  expect(await count('containers')).toBe(active('asymmetric'));
  expect(active('key') + active('asymmetric')).toBeGreaterThan(0.8 * references.length);
  expect((await client.query('SELECT 1 FROM order_leases')).rows).toEqual([]);
}, 240_000);

it('takes an order up that is submitted to a server without jobs, at once', async () => {
  const worker = await startWorker();
  await sleep(1_500);
  const times: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const begun = performance.now();
    const reference = await submit('key', { algorithm: 'aes', bit_length: 256 });
    const status = async () => (await ask(reference, { token })).json.status;
    await expect.poll(status, { interval: 10, timeout: 10_000 }).toBe('ACTIVE');
    times.push(performance.now() - begun);
  }
  const least = Math.min(...times);
  console.info(`ACTIVE after ${least.toFixed(0)} ms at least by a worker of its own`);
  // Not by looking every two seconds.
  expect(least).toBeLessThan(1_000);
  await worker.stop();
});

it('says how it is, and what came of its orders, where it is told to listen', async () => {
  const port = await findFreePort();
  const env = { COFFER_WORKER_LISTEN: `127.0.0.1:${port}`, COFFER_METRICS: '1' };
  const worker = await startWorker(env);
  const url = `http://127.0.0.1:${port}`;
  expect((await ask(`${url}/health/live`)).status).toBe(200);
  expect((await ask(`${url}/health/ready`)).status).toBe(200);
  expect((await ask(`${url}/v1/secrets`, { token })).status).toBe(401);
  await submit('key', { algorithm: 'aes', bit_length: 256 });
  await submit('asymmetric', { algorithm: 'ed25519', bit_length: 256 });
  const measured = async (): Promise<string> => (await ask(`${url}/metrics`)).text;
  for (const type of ['key', 'asymmetric']) {
    const line = `coffer_orders_total{type="${type}",outcome="active"} 1`;
    await expect.poll(measured, { timeout: 10_000 }).toContain(line);
  }
  expect(await measured()).toMatch(/coffer_job_runs_total\{job="key-orders"\} \d/);
  const other = folder.work(env);
  const { code, stderr } = await other.end();
  expect([code, stderr]).toEqual([78, expect.stringContaining(`127.0.0.1:${port} is in use`)]);
  expect(stderr).toContain('Set COFFER_WORKER_LISTEN');
  expect((await worker.stop()).code).toBe(0);
});

it('is refused without a database of an operator', async () => {
  const alone = await built.emptyFolder();
  const { code, stderr } = await alone.run(['worker']);
  expect([code, stderr]).toEqual([78, expect.stringContaining('COFFER_DATABASE_URL is not set')]);
});
