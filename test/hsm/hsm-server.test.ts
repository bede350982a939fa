import { existsSync } from 'node:fs';
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, runCoffer } from '../cli/run-coffer.ts';
import type { Client, Reply } from '../contract/raw-http.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { type SoftHsm, startSoftHsm } from './soft-token.ts';

let hsm: SoftHsm;
let settings: Record<string, string>;

beforeAll(async () => {
  hsm = await startSoftHsm();
  const { pinFile } = await hsm.makeToken('coffer');
  settings = { COFFER_PKCS11_MODULE: hsm.module, COFFER_PKCS11_PIN_FILE: pinFile };
});

afterAll(async () => await hsm.remove());

const run = async (line: string, env: Record<string, string> = settings): Promise<Ended> =>
  await runCoffer(line.split(' '), { cwd: hsm.folder, stdin: '', env });

const text = (payload: string) => ({ payload, payload_content_type: 'text/plain' });

describe('coffer hsm', () => {
  it('says what is missing before the master key is made, and how to make it', async () => {
    const { code, stdout, stderr } = await run('hsm doctor -o json');
    expect(code).toBe(78);
    expect(stderr).toContain('Make it with: coffer hsm init');
    expect(JSON.parse(stdout)).toMatchObject({ CKM_AES_GCM: 'yes', usable: 'no', p50_ms: null });
  });

  it('makes a master key, and prints the settings that a server starts with', async () => {
    const { code, stdout, stderr } = await run('hsm init --pkcs11-sessions 2');
    expect(code).toBe(0);
    expect(stdout).toContain('COFFER_STORES=hsm=pkcs11\n');
    expect(stdout).toContain(`COFFER_KEYRING_FILE=${join(hsm.folder, 'keys')}\n`);
    expect(stdout).toContain('COFFER_PKCS11_SESSIONS=2\n');
    expect(stderr).toContain('coffer bootstrap');
    const doctor = await run('hsm doctor -o json');
    expect(doctor.code).toBe(0);
    expect(JSON.parse(doctor.stdout)).toMatchObject({ keys: 'coffer-mk-1', usable: 'yes' });
    expect(JSON.parse(doctor.stdout).p99_ms).toBeGreaterThan(0);
  });

  it('leads to an installation with a database of its own', async () => {
    const env = { ...settings, COFFER_STORES: 'hsm=pkcs11' };
    const [made, again] = [await run('bootstrap', env), await run('bootstrap', env)];
    expect([made.code, again.code]).toEqual([0, 6]);
    expect((await run('master-key list -o json', env)).stdout).toContain('"coffer-mk-1"');
  });

  it('never makes a second key of one label: it prints the settings of an installation again', async () => {
    const again = await run('hsm init');
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('COFFER_STORES=hsm=pkcs11\n')]);
    expect(JSON.parse((await run('hsm doctor -o json')).stdout)).toMatchObject({ keys: 'coffer-mk-1' });
  });

  it('takes no key for its own that another installation made', async () => {
    const { code, stderr } = await run('hsm init --keyring-file elsewhere');
    expect([code, stderr]).toEqual([6, expect.stringContaining("labelled 'coffer-mk-1' already")]);
    expect(existsSync(join(hsm.folder, 'elsewhere'))).toBe(false);
  });

  it('makes no key where the file of the installation cannot be made', async () => {
    const { code } = await run('hsm init --pkcs11-master-key second --keyring-file none/keys');
    expect(code).not.toBe(0);
    expect(JSON.parse((await run('hsm doctor -o json')).stdout)).toMatchObject({ keys: 'coffer-mk-1' });
  });

  it('refuses a PIN file that others may read, and ends with 78 for a wrong PIN', async () => {
    const pin = join(hsm.folder, 'a.pin');
    await writeFile(pin, 'not the pin\n', { mode: 0o644 });
    const open = await run(`hsm doctor --pkcs11-pin-file ${pin}`);
    expect([open.code, open.stderr]).toEqual([78, expect.stringContaining(`chmod 600 ${pin}`)]);
    await chmod(pin, 0o600);
    const wrong = await run(`hsm doctor --pkcs11-pin-file ${pin}`);
    expect([wrong.code, wrong.stderr]).toEqual([
      78,
      expect.stringMatching(/^coffer: .*Correct the file.*\n$/),
    ]);
    expect(open.stderr + wrong.stderr).not.toContain('not the pin');
  });

  it('names the master key to look at when the first one is gone', async () => {
    const { code, stderr } = await run('hsm doctor --pkcs11-master-key gone');
    expect([code, stderr]).toEqual([78, expect.stringContaining('--pkcs11-master-key coffer-mk-1')]);
  });

  it.each([
    ['hsm doctor', {}, 78, 'COFFER_PKCS11_MODULE'],
    ['hsm doctor --pkcs11-token other', undefined, 8, "no token is labelled 'other'; there are: coffer"],
    ['hsm doctor --pkcs11-module /no/such.so', undefined, 78, '/no/such.so'],
    ['hsm doctor --pkcs11-pin-file /no/such/pin', undefined, 78, 'The PIN file /no/such/pin cannot be read'],
  ])('%s says what is wrong', async (line, env, code, message) => {
    const ended = await run(line, env ?? settings);
    expect([ended.code, ended.stderr]).toEqual([code, expect.stringContaining(message)]);
  });
});

async function timed(send: () => Promise<Reply>): Promise<{ status: number; took: number; text: string }> {
  const started = performance.now();
  const { status, text: body } = await send();
  return { status, took: performance.now() - started, text: body };
}

async function store(client: Client, payload: string): Promise<string> {
  const reply = await client.post('/v1/secrets', text(payload));
  expect([reply.status, reply.text]).toEqual([201, reply.text]);
  return new URL(reply.json.secret_ref).pathname;
}

describe.each(['cached', 'strict'] as const)('a server whose keys are in a token, in %s mode', (mode) => {
  let coffer: StartedCoffer;
  let person: Person;
  let path: string;

  beforeAll(async () => {
    const env = { ...settings, COFFER_STORES: 'hsm=pkcs11', COFFER_PKCS11_MODE: mode };
    coffer = await startCoffer({ env });
    person = await coffer.person(['creator'], 'shop');
    path = await store(person.client, 'in the token');
  });

  afterAll(async () => await coffer.stop());

  it('stores and reads, and keeps no master key of its own', async () => {
    expect((await person.client.get(`${path}/payload`)).text).toBe('in the token');
    const { rows } = await coffer.installation.db.query({ text: 'SELECT DISTINCT store FROM keks' });
    expect(rows).toEqual([{ store: 'hsm' }]);
    expect((await coffer.stranger.get('/health/ready')).status).toBe(200);
  });

  it('goes on as far as it can while the token is away, and is well again within 5 s', async () => {
    await rename(hsm.tokens, `${hsm.tokens}.away`);
    const [read, write, metadata, list] = await Promise.all([
      timed(async () => await person.client.get(`${path}/payload`)),
      timed(async () => await person.client.post('/v1/secrets', text('more'))),
      timed(async () => await person.client.get(path)),
      timed(async () => await person.client.get('/v1/secrets')),
    ]);
    await rename(`${hsm.tokens}.away`, hsm.tokens);
    const isOpen = mode === 'cached';
    expect([read.status, write.status]).toEqual(isOpen ? [200, 201] : [503, 503]);
    expect([metadata.status, list.status]).toEqual([200, 200]);
    expect(Math.max(read.took, write.took)).toBeLessThan(3_000);
    const started = performance.now();
    await expect
      .poll(async () => (await person.client.get(`${path}/payload`)).text, { timeout: 5_000, interval: 50 })
      .toBe('in the token');
    await store(person.client, 'after');
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it('rotates KEKs inside the token', async () => {
    const before = (await run('hsm doctor -o json')).code;
    const rotated = await runCoffer(['kek', 'rotate', '--project', 'shop', '--rest', '0'], {
      cwd: hsm.folder,
      stdin: '',
      env: coffer.env,
    });
    expect([before, rotated.code, rotated.stdout]).toEqual([0, 0, 'Rotated the KEKs of 1 of 1 projects.\n']);
    expect((await person.client.get(`${path}/payload`)).text).toBe('in the token');
  });
});

it('moves the keys of a server from a file into the token, while it runs', async () => {
  await mkdir(join(hsm.folder, 'moving'));
  const COFFER_STORES = `main=software:${hsm.folder}/moving/keys,hsm=pkcs11`;
  const coffer = await startCoffer({ env: { ...settings, COFFER_STORES } });
  const person = await coffer.person(['creator'], 'moving');
  const path = await store(person.client, 'to be moved');
  const line = 'backend migrate --from main --to hsm --rest 0';
  const moved = await runCoffer(line.split(' '), { cwd: hsm.folder, stdin: '', env: coffer.env });
  expect(moved).toMatchObject({ code: 0, stdout: 'Rotated the KEKs of 2 of 2 projects.\n' });
  const { rows } = await coffer.installation.db.query({ text: 'SELECT DISTINCT store FROM keks' });
  expect(rows).toEqual([{ store: 'hsm' }]);
  expect((await person.client.get(`${path}/payload`)).text).toBe('to be moved');
  await coffer.stop();
});
