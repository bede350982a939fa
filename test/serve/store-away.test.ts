import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { CofferError } from '../../src/errors.ts';
import type { CryptoBackend } from '../../src/keyring/backend.ts';
import { rotateAll } from '../../src/rotation/rotate-all.ts';
import { rawClient } from '../contract/raw-http.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { partsOf } from '../rotation/stage.ts';

// A server on two stores, of which one is away. What a store says of that names files and tokens.

const TROUBLE = "The token 'vault-seven' refuses the PIN in /etc/vault/seven.pin.";
const ENTRIES = { payload: 'text', payload_content_type: 'text/plain' };

let folder: string;
let both: StartedCoffer;
let half: StartedCoffer;
let reader: Person;
let movers: Person[];
let others: Person;
let here: string;
let there: string;
const lines: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'coffer-away-'));
  const stores = ['main', 'second'].map((name) => `${name}=software:${join(folder, name)}`);
  both = await startCoffer({ env: { COFFER_STORES: stores.join(',') } });
  reader = await both.person(['creator'], 'reading');
  movers = [await both.person(['admin'], 'moving'), await both.person(['admin'], 'staying')];
  others = await both.person(['creator'], 'other');
  here = await share(others);
  for (const mover of movers) {
    await prefer(mover, 1);
    there = await share(mover);
  }
  half = await startCoffer({ beside: both, log: { write: (line) => void lines.push(line) } });
  takeAway('second');
});

afterAll(async () => {
  await half.stop();
  await both.stop();
  rmSync(folder, { recursive: true });
});

beforeEach(() => void lines.splice(0));

const at = (server: StartedCoffer, { token }: Person) => rawClient(server.url, token);

async function prefer({ client }: Person, index: number): Promise<void> {
  const { secret_store_ref } = (await client.get('/v1/secret-stores')).json.secret_stores[index];
  expect((await client.post(`${new URL(secret_store_ref).pathname}/preferred`)).status).toBe(204);
}

/** A secret that the reader may read as well. */
async function share({ client }: Person): Promise<string> {
  const path = new URL((await client.post('/v1/secrets', ENTRIES)).json.secret_ref).pathname;
  expect((await client.put(`${path}/acl`, { read: { users: [reader.userId] } })).status).toBe(200);
  return path;
}

/** From now on each call that a store could answer now fails. */
function takeAway(name: string): void {
  const fail = async (): Promise<never> => {
    throw new CofferError('unavailable', TROUBLE);
  };
  const down: Partial<CryptoBackend> = {
    createKek: fail,
    openKek: fail,
    rewrapKek: fail,
    destroyKek: fail,
    listMasterKeys: fail,
    checkHealth: fail,
  };
  Object.assign(half.installation.keyring.stores.get(name), down);
}

const troubles = (): string[] => lines.filter((line) => line.includes(JSON.stringify(TROUBLE)));

it('lists what it can open of other projects', async () => {
  const listed = await at(half, reader).get('/v1/secrets?acl_only=true');
  const paths = listed.json.secrets?.map(
    ({ secret_ref }: { secret_ref: string }) => new URL(secret_ref).pathname,
  );
  expect([listed.status, paths]).toEqual([200, [here]]);
});

it('tells clients no more than that a store is away, and the log why', async () => {
  for (const reply of [
    await at(half, reader).get(`${there}/payload`),
    await at(half, movers[0] as Person).post('/v1/secrets', ENTRIES),
  ]) {
    expect([reply.status, reply.headers['retry-after'], reply.json.description]).toEqual([
      503,
      '5',
      'The secret store that holds the keys is not available; try again.',
    ]);
  }
  expect(troubles()).toHaveLength(2);
});

it('lets a project leave the store for another one', async () => {
  const [mover] = movers as [Person];
  await prefer({ ...mover, client: at(half, mover) }, 0);
  expect((await at(half, mover).post('/v1/secrets', ENTRIES)).status).toBe(201);
});

it('rotates the KEKs of all projects but those that are in the store', async () => {
  const ids = [(movers[1] as Person).projectId, others.projectId];
  const pace = { rowsAtOnce: 10, rowsPerSecond: 1_000_000, restSeconds: 0 };
  const watch = { signal: new AbortController().signal, onProgress: () => {} };
  const outcome = await rotateAll(partsOf(half), pace, ids, undefined, watch);
  expect(outcome.rotated).toEqual([others.projectId]);
  expect(outcome.failed).toMatchObject([{ id: ids[0], why: { name: 'StoreAway' } }]);
});

it('is not ready without the store of its own keys, and says why to the log alone, once', async () => {
  takeAway('main');
  for (let n = 0; n < 2; n += 1) {
    const { status, json } = await half.stranger.get('/health/ready');
    expect([status, json]).toEqual([
      503,
      { status: 'not ready', reason: 'The secret store that holds the keys is not available; try again.' },
    ]);
  }
  expect(troubles()).toHaveLength(1);
});
