import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, runCoffer } from '../cli/run-coffer.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { fillProject, type Kept, readAll } from '../rotation/stage.ts';
import { type SoftHsm, startSoftHsm } from './soft-token.ts';

let hsm: SoftHsm;

beforeAll(async () => {
  hsm = await startSoftHsm();
});

afterAll(async () => await hsm.remove());

describe.each([
  ['cached', 0x04],
  ['strict', 0x05],
] as const)('the master key of a token, in %s mode', (mode, suite) => {
  let coffer: StartedCoffer;
  let person: Person;
  let kept: Kept[];
  let env: Record<string, string>;

  const run = async (line: string): Promise<Ended> =>
    await runCoffer(line.split(' '), { cwd: hsm.folder, stdin: '', env: coffer.env });

  beforeAll(async () => {
    const { pinFile } = await hsm.makeToken(mode);
    env = {
      COFFER_PKCS11_MODULE: hsm.module,
      COFFER_PKCS11_TOKEN: mode,
      COFFER_PKCS11_PIN_FILE: pinFile,
      COFFER_PKCS11_MODE: mode,
      COFFER_STORES: 'hsm=pkcs11',
      COFFER_WORKER: 'off',
    };
    const init = await runCoffer(['hsm', 'init'], { cwd: hsm.folder, stdin: '', env });
    expect(init.code).toBe(0);
    coffer = await startCoffer({ env });
    person = await coffer.person(['creator'], 'shop');
    kept = await fillProject(person, 3);
  });

  afterAll(async () => await coffer.stop());

  it('is replaced while a server runs, whose settings still name the old one', async () => {
    const where = `the token '${mode}'`;
    const added = await run('master-key add coffer-mk-2 -o json');
    expect(added).toMatchObject({ code: 0 });
    expect(JSON.parse(added.stdout)).toEqual({ id: 'coffer-mk-2', store: 'hsm', where });
    expect(await run('master-key add coffer-mk-2')).toMatchObject({ code: 6 });
    expect(await run('master-key add coffer-kek')).toMatchObject({ code: 2 });

    const rotated = await run('master-key rotate --to coffer-mk-2 -o json');
    expect(rotated.code).toBe(0);
    expect(JSON.parse(rotated.stdout)).toMatchObject({ moved: 2, failed: 0 });
    const text = 'SELECT master_key_id AS id, get_byte(wrapped_kek, 0) AS suite FROM keks';
    const { rows } = await coffer.installation.db.query({ text });
    expect(rows).toEqual(Array.from({ length: 2 }, () => ({ id: 'coffer-mk-2', suite })));

    expect(await run('master-key retire coffer-mk-1 --yes')).toMatchObject({ code: 0 });
    expect(JSON.parse((await run('master-key list')).stdout)).toMatchObject([
      { id: 'coffer-mk-1', state: 'retired', keks: 0 },
      { id: 'coffer-mk-2', state: 'active', keks: 2, where },
    ]);
    expect(JSON.parse((await run('hsm doctor -o json')).stdout)).toMatchObject({ keys: 'coffer-mk-2' });
  });

  it('that is gone is not missed: by that server, nor by one that begins', async () => {
    expect((await coffer.stranger.get('/health/ready')).status).toBe(200);
    expect(await readAll(person, kept)).toEqual(kept.map(({ payload }) => payload));
    const other = await coffer.person(['creator'], 'made-after');
    await fillProject(other, 1);
    const fresh = await startCoffer({ beside: coffer, env });
    const payload = await fresh.installation.keyring.withRowsKey(other.projectId, 1n, (key) => key.length);
    expect(payload).toBe(32);
    expect((await fresh.stranger.get('/health/ready')).status).toBe(200);
    await fresh.stop();
    const rotated = await run('kek rotate --all --rest 0');
    expect(rotated).toMatchObject({ code: 0, stdout: 'Rotated the KEKs of 3 of 3 projects.\n' });
    const { rows } = await coffer.installation.db.query({ text: 'SELECT DISTINCT master_key_id FROM keks' });
    expect(rows).toEqual([{ master_key_id: 'coffer-mk-2' }]);
  });

  it('is no KEK, nor one of two keys by its name, to a row that the database altered: the others are moved', async () => {
    const { db, keyring } = coffer.installation;
    // The command before this one rotated the system's KEK beside this server.
    keyring.forgetProject();
    for (let n = 0; n < 2; n += 1) await hsm.makeKey(mode, 'twice');
    const other = await coffer.person(['creator'], 'made-between');
    await fillProject(other, 1);
    expect(await run('master-key add coffer-mk-3')).toMatchObject({ code: 0 });
    const name = async (id: string, project: string): Promise<void> => {
      const text = 'UPDATE keks SET master_key_id = $2 WHERE project_id = $1';
      await db.query({ text, values: [project, id] });
    };
    await name('coffer-kek', person.projectId);
    await name('twice', other.projectId);
    const rotated = await run('master-key rotate --to coffer-mk-3 -o json');
    expect([rotated.code, JSON.parse(rotated.stdout)]).toMatchObject([1, { moved: 2, failed: 2 }]);
    for (const { projectId } of [person, other]) {
      expect(rotated.stderr).toContain(`Not moved: the KEK of project ${projectId}, epoch `);
    }
    const retired = await run('master-key retire coffer-mk-2 --yes');
    expect([retired.code, retired.stderr]).toEqual([6, expect.stringContaining('2 KEKs do not open')]);
    const orphans = await run('hsm orphans --settle 0');
    expect([orphans.code, orphans.stderr]).toEqual([0, expect.stringContaining('do not open')]);
    for (const { projectId } of [person, other]) await name('coffer-mk-2', projectId);
    expect(await run('master-key rotate --to coffer-mk-3')).toMatchObject({ code: 0 });
  });
});
