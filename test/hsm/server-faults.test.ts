import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, type Reply, rawClient } from '../contract/raw-http.ts';
import { rounds } from '../harness/rounds.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { findFreePort } from '../serve/free-port.ts';
import { ServerProcess } from '../serve/server-process.ts';
import { FAULT_NAMES, faultsOf } from './faults.ts';
import { buildSabotagedToken } from './sabotage.ts';
import { connect, type SoftHsm, startSoftHsm } from './soft-token.ts';

// A server in a process of its own, whose token, and the process that holds the token's library, meet faults
// while clients ask.

/** The token is given up after 1.6 s; the rest is the server's own, on a busy machine. */
const ANSWER_MS_MAX = 3_000;
const BACK_MS_MAX = 5_000;
const BUILT = 'dist/sabotaged';
let hsm: SoftHsm;
let pinFile: string;

beforeAll(async () => {
  await promisify(execFile)('npm', ['run', '--silent', 'prestart'], {
    env: { ...process.env, BUILD_DIR: BUILT },
  });
  await buildSabotagedToken(join(BUILT, 'pkcs11-token.js'));
  hsm = await startSoftHsm();
  ({ pinFile } = await hsm.makeToken('coffer'));
  const client = connect(hsm, 'coffer', pinFile);
  await client.call('makeMasterKey', { label: 'coffer-mk-1' });
  client.close();
});

afterAll(async () => await hsm.remove());

/** The only child that a server has whose database is elsewhere. */
function tokenPidOf({ pid }: ServerProcess): number | undefined {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
  return child === undefined || child === '' ? undefined : Number(child);
}

async function timed(send: () => Promise<Reply>): Promise<{ status: number; took: number }> {
  const started = performance.now();
  const { status } = await send();
  return { status, took: performance.now() - started };
}

const secret = { payload: 'in the token', payload_content_type: 'text/plain' };

describe.each(['cached', 'strict'] as const)('a server whose keys are in a token, in %s mode', (mode) => {
  let beside: StartedCoffer;
  let person: Person;
  let server: ServerProcess;
  let client: Client;
  let path: string;

  beforeAll(async () => {
    const settings = {
      COFFER_PKCS11_MODULE: hsm.module,
      COFFER_PKCS11_PIN_FILE: pinFile,
      COFFER_STORES: 'hsm=pkcs11',
      COFFER_PKCS11_MODE: mode,
      COFFER_WORKER: 'off',
    };
    beside = await startCoffer({ env: settings });
    person = await beside.person(['creator'], 'faults');
    const port = await findFreePort();
    const env = {
      ...beside.env,
      COFFER_LISTEN: `127.0.0.1:${port}`,
      SOFTHSM2_CONF: process.env['SOFTHSM2_CONF'] ?? '',
    };
    server = new ServerProcess([join(process.cwd(), BUILT, 'coffer.js'), 'serve'], { cwd: hsm.folder, env });
    await server.ready();
    client = rawClient(`http://127.0.0.1:${port}`, person.token);
    path = new URL((await client.post('/v1/secrets', secret)).json.secret_ref).pathname;
  });

  afterAll(async () => {
    expect(await server.stop()).toMatchObject({ code: 0 });
    await beside.stop();
  });

  /** Ready says that the token itself answers, whatever is held open without it. */
  const readAndStore = async (): Promise<number[]> => {
    const ready = await client.get('/health/ready');
    const read = await client.get(`${path}/payload`);
    return [ready.status, read.status, (await client.post('/v1/secrets', secret)).status];
  };

  /** What clients are answered, and that nobody waits. */
  async function expectAnswers(): Promise<void> {
    const [read, store, metadata, list, ready] = await Promise.all([
      timed(async () => await client.get(`${path}/payload`)),
      timed(async () => await client.post('/v1/secrets', secret)),
      timed(async () => await client.get(path)),
      timed(async () => await client.get('/v1/secrets?limit=1')),
      timed(async () => await client.get('/health/ready')),
    ]);
    expect([metadata.status, list.status]).toEqual([200, 200]);
    if (mode === 'cached') expect([read.status, store.status]).toEqual([200, 201]);
    else {
      expect([200, 503]).toContain(read.status);
      expect([201, 503]).toContain(store.status);
    }
    expect(Math.max(read.took, store.took, metadata.took, list.took, ready.took)).toBeLessThan(ANSWER_MS_MAX);
  }

  it.for(FAULT_NAMES)(
    'answers what it can in time, and is well again within 5 s by itself, when %s',
    { timeout: 600_000 },
    async (name, { annotate }) => {
      const fault = faultsOf(hsm).get(name);
      let slowest = 0;
      for (let round = 0; round < rounds(50); round += 1) {
        expect(await readAndStore()).toEqual([200, 200, 201]);
        const mend = await fault?.(() => tokenPidOf(server));
        await expectAnswers();
        await mend?.();
        const started = performance.now();
        await expect.poll(readAndStore, { timeout: BACK_MS_MAX, interval: 50 }).toEqual([200, 200, 201]);
        slowest = Math.max(slowest, performance.now() - started);
      }
      await annotate(`${rounds(50)} rounds, well again after ${Math.round(slowest)} ms at most`);
    },
  );
});
