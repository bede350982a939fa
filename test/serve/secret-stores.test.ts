import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createKeyringFile } from '../../src/keyring/keyring-file.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

let folder: string;
let both: StartedCoffer;
let main: StartedCoffer;
let admin: Person;
let there: string;
let here: string;

const text = (payload: string) => ({ payload, payload_content_type: 'text/plain' });
const storesOf = (...names: string[]): string =>
  names.map((name) => `${name}=software:${join(folder, name)}`).join(',');

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'coffer-stores-'));
  both = await startCoffer({ env: { COFFER_STORES: storesOf('main', 'second') } });
  admin = await both.person(['admin']);
  here = (await admin.client.post('/v1/secrets', text('in main'))).json.secret_ref;
  const second = (await admin.client.get('/v1/secret-stores')).json.secret_stores[1];
  await admin.client.post(`${new URL(second.secret_store_ref).pathname}/preferred`);
  there = (await admin.client.post('/v1/secrets', text('in second'))).json.secret_ref;
  main = await startCoffer({ beside: both, env: { COFFER_STORES: storesOf('main') } });
});

afterAll(async () => {
  await main.stop();
  await both.stop();
  rmSync(folder, { recursive: true });
});

const pathOf = (reference: string): string => new URL(reference).pathname;

async function ask(server: StartedCoffer, method: string, path: string, body?: object) {
  const headers = { 'x-auth-token': admin.token };
  return await server.stranger.send(method, path, body === undefined ? { headers } : { headers, body });
}

it('reads both where both stores are', async () => {
  for (const [reference, payload] of [
    [here, 'in main'],
    [there, 'in second'],
  ] as const) {
    const reply = await ask(both, 'GET', `${pathOf(reference)}/payload`);
    expect([reply.status, reply.text]).toEqual([200, payload]);
  }
});

it('answers 503 for what is in a store that is not there, and serves the rest', async () => {
  const gone = await ask(main, 'GET', `${pathOf(there)}/payload`);
  expect([gone.status, gone.headers['retry-after']]).toEqual([503, '5']);
  expect((await ask(main, 'GET', pathOf(there))).status).toBe(503);
  const kept = await ask(main, 'GET', `${pathOf(here)}/payload`);
  expect([kept.status, kept.text]).toEqual([200, 'in main']);
  expect((await main.stranger.get('/health/ready')).status).toBe(200);
});

it('lists what it can verify', async () => {
  const listed = await ask(main, 'GET', '/v1/secrets');
  const refs = listed.json.secrets.map(({ secret_ref }: { secret_ref: string }) => pathOf(secret_ref));
  expect([listed.status, refs]).toEqual([200, [pathOf(here)]]);
});

it('stores nothing where the project wants its secrets to be elsewhere, until it wants so no more', async () => {
  expect((await ask(main, 'POST', '/v1/secrets', text('refused'))).status).toBe(503);
  expect((await ask(main, 'GET', '/v1/secret-stores/preferred')).status).toBe(503);
  const [store] = (await ask(main, 'GET', '/v1/secret-stores')).json.secret_stores;
  const path = `${pathOf(store.secret_store_ref)}/preferred`;
  expect((await ask(main, 'DELETE', path)).status).toBe(204);
  expect((await ask(main, 'POST', '/v1/secrets', text('in main again'))).status).toBe(201);
});

it('does not start with a keyring of another installation', async () => {
  await createKeyringFile(join(folder, 'foreign'), 'mk-test');
  const starting = startCoffer({ beside: both, env: { COFFER_STORES: storesOf('main', 'foreign') } });
  await expect(starting).rejects.toMatchObject({
    code: 'configuration',
    message: expect.stringContaining('--installation-of'),
  });
});

it('does not start without the store of its own keys', async () => {
  const starting = startCoffer({ beside: both, env: { COFFER_STORES: storesOf('second') } });
  await expect(starting).rejects.toMatchObject({
    code: 'configuration',
    message: expect.stringContaining('COFFER_STORES does not name'),
  });
});
