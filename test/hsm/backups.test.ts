import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCoffer } from '../cli/run-coffer.ts';
import { rawClient } from '../contract/raw-http.ts';
import { copyDatabase } from '../harness/database.ts';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { type SoftHsm, startSoftHsm } from './soft-token.ts';

let hsm: SoftHsm;
let settings: Record<string, string>;

beforeAll(async () => {
  hsm = await startSoftHsm();
  const { pinFile } = await hsm.makeToken('coffer');
  settings = { COFFER_PKCS11_MODULE: hsm.module, COFFER_PKCS11_PIN_FILE: pinFile };
  await runCoffer(['hsm', 'init'], { cwd: hsm.folder, stdin: '', env: settings });
});

afterAll(async () => await hsm.remove());

describe.each([
  ['cached', 'of shop'],
  ['strict', 500],
] as const)('a backup of keys in a token, in %s mode', (mode, found) => {
  let live: StartedCoffer;

  beforeAll(async () => {
    const env = { ...settings, COFFER_STORES: 'hsm=pkcs11', COFFER_PKCS11_MODE: mode, COFFER_WORKER: 'off' };
    live = await startCoffer({ env });
  });
  afterAll(async () => await live.stop());

  const run = async (line: string) =>
    await runCoffer(line.split(' '), { cwd: hsm.folder, stdin: '', env: live.env });

  it(`gives ${found} of a project that was shredded after it was made, and all of another`, async () => {
    const people = [await live.person(['creator'], 'shop'), await live.person(['creator'], 'stall')];
    const paths: string[] = [];
    for (const [index, { client }] of people.entries()) {
      const payload = index === 0 ? 'of shop' : 'of stall';
      const stored = await client.post('/v1/secrets', { payload, payload_content_type: 'text/plain' });
      paths.push(new URL(stored.json.secret_ref).pathname);
    }
    const backup = await copyDatabase(live.database);
    const shredded = await run('project shred shop --yes');
    expect([shredded.code, shredded.stdout]).toEqual([0, expect.stringContaining('1 keys and 1 rows')]);
    const said = mode === 'strict' ? 'no backup of the database opens it' : 'master-key retire coffer-mk-1';
    expect(shredded.stderr).toContain(said);
    const restored = await startCoffer({ beside: live, env: { COFFER_DATABASE_URL: backup.url } });
    const read = async (index: number): Promise<string | number> => {
      const client = rawClient(restored.url, people[index]?.token);
      const { status, text } = await client.get(`${paths[index]}/payload`);
      return status === 200 ? text : status;
    };
    expect([await read(0), await read(1)]).toEqual([found, 'of stall']);
    await restored.stop();
    await backup.drop();
  });
});
