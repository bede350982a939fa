import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

let coffer: StartedCoffer;
let person: Person;

beforeAll(async () => {
  coffer = await startCoffer({ env: { COFFER_WORKER: 'off' } });
  person = await coffer.person(['creator']);
});
afterAll(async () => await coffer.stop());

async function ask<R>(text: string, values: unknown[] = []): Promise<R[]> {
  return (await coffer.installation.db.query<R>({ text, values })).rows;
}

/** The tables with a row that has one of these texts anywhere, bytes as hex digits. */
async function tablesWith(texts: readonly string[]): Promise<string[]> {
  const tables = await ask<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`,
  );
  const patterns = texts.map((text) => `%${text}%`);
  const found: string[] = [];
  for (const { name } of tables) {
    const rows = await ask(`SELECT FROM ${name} AS here WHERE here::text LIKE ANY ($1)`, [patterns]);
    if (rows.length > 0) found.push(name);
  }
  return found.sort();
}

async function countToast(): Promise<number> {
  const [toast] = await ask<{ name: string }>(
    `SELECT reltoastrelid::regclass::text AS name FROM pg_class WHERE oid = 'secrets'::regclass`,
  );
  const [chunks] = await ask<{ n: bigint }>(`SELECT count(*) AS n FROM ${toast?.name}`);
  return Number(chunks?.n);
}

async function store(payload: string): Promise<string> {
  const { client } = person;
  const reply = await client.post('/v1/secrets', { payload, payload_content_type: 'text/plain' });
  return new URL(reply.json.secret_ref).pathname;
}

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

it('drops key and ciphertext of a deleted secret at once: no table has them, nor its toast', async () => {
  const before = await countToast();
  const path = await store(randomBytes(9_000).toString('base64'));
  const id = path.slice(-36);
  await person.client.put(`${path}/metadata`, { metadata: { what: 'kept' } });
  await person.client.put(`${path}/acl`, { read: { users: ['somebody'] } });
  const consumer = { service: 'nova', resource_type: 'SERVER', resource_id: 'one' };
  await person.client.post(`${path}/consumers`, consumer);
  const [row] = await ask<{ dek: Uint8Array; payload_head: Uint8Array; payload_body: Uint8Array }>(
    'SELECT dek, payload_head, payload_body FROM secrets WHERE id = $1',
    [id],
  );
  if (row === undefined) throw new Error('there is no row');
  const traces = [id, toHex(row.dek), toHex(row.payload_head), toHex(row.payload_body.subarray(0, 64))];
  expect(await tablesWith(traces)).toEqual(['secret_consumers', 'secrets']);
  expect(await countToast()).toBeGreaterThan(before);
  expect((await person.client.delete(path)).status).toBe(204);
  expect(await tablesWith(traces)).toEqual([]);
  expect(await countToast()).toBe(before);
});
