import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { joinOrStart } from '../../src/db/embedded.ts';
import { readPostmasterPid } from '../../src/db/embedded-process.ts';
import { openDatabase } from '../../src/db/open.ts';
import { rounds } from '../harness/rounds.ts';
import { ask, logInByOpenrc } from './ask.ts';
import { type BuiltCoffer, buildCoffer, type Folder, killQuietly } from './built-coffer.ts';
import type { ServerProcess } from './server-process.ts';
import { type Acknowledged, Writers } from './writers.ts';

const ROUNDS = rounds(20);
const ACKNOWLEDGED_A_ROUND = 250;
const WRITERS = 8;
const VICTIMS = ['postgres', 'server', 'both'] as const;

let built: BuiltCoffer;
let folder: Folder;
let server: ServerProcess;

beforeAll(async () => {
  built = await buildCoffer();
  folder = await built.emptyFolder({ COFFER_METRICS: '1', COFFER_TOKEN_TTL: '28800' });
  server = folder.serve();
  await server.ready();
});
afterAll(async () => {
  await built.remove();
});

it('keeps each acknowledged secret, and no half row, through kill -9 of server and PostgreSQL', async () => {
  const begun = performance.now();
  const token = await logInByOpenrc(folder.openrc);
  const writers = new Writers(folder.url, token, WRITERS);
  const killed = { postgres: 0, server: 0, both: 0 };
  for (let round = 0; round < ROUNDS; round += 1) {
    await acknowledge(writers, ACKNOWLEDGED_A_ROUND);
    await sleep(randomInt(0, 60));
    const victim = VICTIMS[round % VICTIMS.length]!;
    killed[victim] += 1;
    await kill(victim);
  }
  await acknowledge(writers, 1);
  await writers.stop();
  const written = performance.now();
  const { acknowledged, unanswered, unexpected } = writers;
  console.info(
    `${ROUNDS} rounds (${killed.server} of the server, ${killed.postgres} of PostgreSQL, ${killed.both} of both), ` +
      `${acknowledged.length} acknowledged, ${unanswered} unanswered, ${((written - begun) / 1000).toFixed(0)} s`,
  );
  expect([...new Set(unexpected)]).toEqual([]);
  expect(acknowledged.length).toBeGreaterThanOrEqual(ROUNDS * ACKNOWLEDGED_A_ROUND);

  await expectReadable(token, acknowledged);
  const listed = await listAll(token);
  expect(new Set(listed.map(({ reference }) => reference)).size).toBe(listed.length);
  const known = new Set(listed.map(({ reference }) => reference));
  expect(acknowledged.filter(({ reference }) => !known.has(reference))).toEqual([]);
  // A 503 says no more of a write whose COMMIT was under way when PostgreSQL was killed: one a writer.
  const uncertain = unanswered + killed.postgres * WRITERS;
  expect(listed.length).toBeLessThanOrEqual(acknowledged.length + uncertain);
  await expectReadable(token, listed);
  expect(await countRows()).toEqual({ secrets: BigInt(listed.length), half: 0n, keks: 1n });
  const { text } = await ask(`${folder.url}/metrics`);
  expect(text).toMatch(/^coffer_integrity_violations_total\{/m);
  expect(text).not.toMatch(/^coffer_integrity_violations_total\{.*\} [^0]/m);
  expect(await server.stop()).toMatchObject({ code: 0 });
  expect(folder.postgresPids()).toEqual([]);
  console.info(`verified in ${((performance.now() - written) / 1000).toFixed(0)} s, ${listed.length} rows`);
}, 900_000);

async function acknowledge(writers: Writers, more: number): Promise<void> {
  const goal = writers.acknowledged.length + more;
  const deadline = performance.now() + 60_000;
  while (writers.acknowledged.length < goal) {
    if (performance.now() > deadline) throw new Error(`nothing is acknowledged any more:\n${server.stderr}`);
    await sleep(2);
  }
}

async function kill(victim: (typeof VICTIMS)[number]): Promise<void> {
  if (victim !== 'server') killQuietly(readPostmasterPid(`${folder.data}/postgres`)!);
  if (victim === 'postgres') return;
  server.kill('SIGKILL');
  await server.end();
  server = folder.serve();
  await server.ready();
}

/** Each with the payload that was acknowledged; where none is known, with any that is whole. */
async function expectReadable(token: string, secrets: readonly Acknowledged[]): Promise<void> {
  const left = [...secrets];
  const lost: string[] = [];
  const read = async (): Promise<void> => {
    for (let secret = left.pop(); secret !== undefined; secret = left.pop()) {
      const { reference, payload } = secret;
      const headers = { accept: 'application/octet-stream', 'x-auth-token': token };
      const response = await fetch(`${reference}/payload`, { headers });
      const bytes = Buffer.from(await response.arrayBuffer());
      const isWhole = payload === undefined ? [200, 404].includes(response.status) : payload.equals(bytes);
      if (!isWhole) lost.push(`${reference}: ${response.status}`);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, read));
  expect(lost).toEqual([]);
}

async function listAll(token: string): Promise<Acknowledged[]> {
  const listed: Acknowledged[] = [];
  for (let url: string | undefined = `${folder.url}/v1/secrets?limit=100`; url !== undefined; ) {
    const { status, json } = await ask(url, { token });
    expect(status).toBe(200);
    const { secrets } = json as { secrets: { secret_ref: string; content_types?: object }[] };
    listed.push(...secrets.map(({ secret_ref: reference }) => ({ reference, payload: undefined })));
    url = json.next;
    if (url === undefined) expect(json.total).toBe(listed.length);
  }
  return listed;
}

async function countRows(): Promise<Record<string, bigint> | undefined> {
  const postgres = await joinOrStart({ dataDirectory: folder.data, log: () => {} });
  const db = openDatabase({ connection: { ...postgres.connection } });
  const { rows } = await db.query<Record<string, bigint>>({
    text: `SELECT count(*) AS secrets,
      count(*) FILTER (WHERE num_nulls(dek, payload_head, payload_body) NOT IN (0, 3)) AS half,
      (SELECT count(*) FROM keks WHERE project_id <> 'system') AS keks
      FROM secrets`,
  });
  await db.close();
  await postgres.stop();
  return rows[0];
}
