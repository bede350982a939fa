import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, runCoffer } from '../cli/run-coffer.ts';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { fillQuickly } from '../projects/doomed-project.ts';
import { type SoftHsm, startSoftHsm } from './soft-token.ts';

let hsm: SoftHsm;
let coffer: StartedCoffer;
let userId: string;

beforeAll(async () => {
  hsm = await startSoftHsm();
  const { pinFile } = await hsm.makeToken('coffer');
  const settings = { COFFER_PKCS11_MODULE: hsm.module, COFFER_PKCS11_PIN_FILE: pinFile };
  await runCoffer(['hsm', 'init'], { cwd: hsm.folder, stdin: '', env: settings });
  const env = {
    ...settings,
    COFFER_STORES: `main=software:${hsm.folder}/main-keys,hsm=pkcs11`,
    COFFER_PKCS11_MODE: 'strict',
    COFFER_WORKER: 'off',
  };
  coffer = await startCoffer({ env });
  ({ userId } = await coffer.person(['observer']));
});

afterAll(async () => {
  await coffer.stop();
  await hsm.remove();
});

const objectsOf = () => coffer.installation.keyring.stores.get('hsm').objects!;

/** A project whose KEK is the one object that the token has more than before. */
async function makeProject(): Promise<{ id: string; object: string }> {
  const before = await objectsOf().list();
  const id = await fillQuickly(coffer, userId);
  const { keyring } = coffer.installation;
  await keyring.preferStore(await keyring.useProject(id), 'hsm');
  const made = (await objectsOf().list()).filter((object) => !before.includes(object));
  expect(made).toHaveLength(1);
  return { id, object: made[0]! };
}

const run = async (line: string, env: Record<string, string> = {}): Promise<Ended> =>
  await runCoffer(line.split(' '), { cwd: hsm.folder, stdin: '', env: { ...coffer.env, ...env } });

async function alter(change: string, project: string): Promise<void> {
  const text = `UPDATE keks SET ${change} WHERE project_id = $1 AND get_byte(wrapped_kek, 0) = 5`;
  await coffer.installation.db.query({ text, values: [project] });
}

describe('the shredding of a project with a key that is an object of a token', () => {
  it('destroys the object, and says so', async () => {
    const { id, object } = await makeProject();
    const ended = await run(`project shred ${id} --yes`);
    expect([ended.code, ended.stdout]).toEqual([
      0,
      expect.stringContaining('2 keys and 1 rows are destroyed'),
    ]);
    expect(await objectsOf().list()).not.toContain(object);
  });

  it('destroys it also where the command was not told the mode of the servers', async () => {
    const { id, object } = await makeProject();
    expect(await run(`project shred ${id} --yes`, { COFFER_PKCS11_MODE: 'cached' })).toMatchObject({
      code: 0,
    });
    expect(await objectsOf().list()).not.toContain(object);
  });

  it.for([
    ['one byte of the reference', `wrapped_kek = set_byte(wrapped_kek, 30, get_byte(wrapped_kek, 30) # 1)`],
    ['the suite', `wrapped_kek = set_byte(wrapped_kek, 0, 4)`],
    ['the store', `store = 'main'`],
    ['the store and the suite', `store = 'elsewhere', wrapped_kek = set_byte(wrapped_kek, 0, 4)`],
    ['the project', `project_id = 'another'`],
  ] as const)('does not say so, and ends with 1, when the database altered %s', async ([, change]) => {
    const { id, object } = await makeProject();
    await alter(change, id);
    const { code, stdout, stderr } = await run(`project shred ${id} --yes`);
    expect(await objectsOf().list()).toContain(object);
    expect([code, stderr]).toEqual([1, expect.stringContaining('hsm orphans --destroy')]);
    expect(stdout + stderr).not.toContain('are destroyed');
    await coffer.installation.db.query({ text: `DELETE FROM keks WHERE project_id = 'another'` });
    const orphans = await run('hsm orphans --settle 0 --destroy --yes');
    expect([orphans.code, orphans.stderr]).toEqual([0, expect.stringContaining('Destroyed 1 keys')]);
    expect(await objectsOf().list()).not.toContain(object);
  });
});
