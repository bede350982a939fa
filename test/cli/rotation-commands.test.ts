import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { fillProject, readAll } from '../rotation/stage.ts';
import { type Ended, runCoffer } from './run-coffer.ts';

let coffer: StartedCoffer;

beforeAll(async () => {
  coffer = await startCoffer({ env: { COFFER_WORKER: 'off' } });
});

afterAll(async () => await coffer.stop());

const run = async (line: string): Promise<Ended> =>
  await runCoffer(line.split(' '), { cwd: '/tmp', stdin: '', env: coffer.env });

it('rotates one project by name, and all of them, and says how far it is', async () => {
  const person = await coffer.person(['creator'], 'shop');
  const kept = await fillProject(person, 3);
  const one = await run('kek rotate --project shop --rest 0');
  expect(one).toMatchObject({ code: 0, stdout: 'Rotated the KEKs of 1 of 1 projects.\n' });
  const [record, progress] = one.stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .toReversed();
  expect(progress).toMatchObject({ progress: 'moving rows' });
  expect(record.audit).toEqual({
    action: 'keyring:rotate_kek',
    outcome: 'allowed',
    user: 'operator',
    account: process.getuid?.(),
    subject: person.projectId,
  });
  const all = await run('kek rotate --all --rest 0');
  // The system's own, and that of the shop.
  expect(all).toMatchObject({ code: 0, stdout: 'Rotated the KEKs of 2 of 2 projects.\n' });
  expect(await readAll(person, kept)).toEqual(kept.map(({ payload }) => payload));
});

it.each(["wrapped_kek = '\\x02'", "store = 'elsewhere'"])(
  'names a project whose KEK does not open, and rotates the others all the same: %s',
  async (change) => {
    const { db, keyring } = coffer.installation;
    const projectId = randomUUID();
    keyring.forgetProject();
    await keyring.useProject(projectId);
    await db.query({ text: `UPDATE keks SET ${change} WHERE project_id = $1`, values: [projectId] });
    const all = await run('kek rotate --all --rest 0');
    expect([all.code, all.stdout]).toEqual([1, 'Rotated the KEKs of 2 of 3 projects.\n']);
    expect(all.stderr).toContain(`Not rotated: project ${projectId}: `);
    await db.query({ text: 'DELETE FROM keks WHERE project_id = $1', values: [projectId] });
  },
);

it('names a project that a damaged row holds back, and is done at once when it is run after the repair', async () => {
  // The command rotated the system's KEK beside this server.
  coffer.installation.keyring.forgetProject();
  const { projectId, client } = await coffer.person(['creator'], 'held back');
  await client.post('/v1/secrets', { name: 'as it was' });
  const { db } = coffer.installation;
  const rename = async (name: string) =>
    await db.query({
      text: 'UPDATE secrets SET name = $2 WHERE project_id = $1',
      values: [projectId, name],
    });
  const rotate = async (): Promise<Ended> => await run(`kek rotate --project ${projectId} --rest 0`);
  await rename('forged');
  const blocked = await rotate();
  expect([blocked.code, blocked.stderr]).toEqual([1, expect.stringContaining(projectId)]);
  await rename('as it was');
  expect(await rotate()).toMatchObject({ code: 0, stdout: 'Rotated the KEKs of 1 of 1 projects.\n' });
  const text = 'SELECT epoch FROM keks WHERE project_id = $1';
  expect((await db.query({ text, values: [projectId] })).rows).toEqual([{ epoch: 3n }]);
});

it('leaves KEKs that are not old enough', async () => {
  const { code, stdout } = await run('kek rotate --all --older-than 1d --rest 0');
  expect([code, stdout]).toEqual([0, 'Rotated the KEKs of 0 of 0 projects.\n']);
});

it.each([
  ['kek rotate', 64, '--project PROJECT or --all'],
  ['kek rotate --all --project shop', 64, '--project PROJECT or --all'],
  ['kek rotate --all --older-than never', 64, '--older-than is a time'],
  ['kek rotate --project nowhere', 3, 'There is no project nowhere'],
  ['backend migrate --from software --to hsm', 64, 'there is no store hsm'],
])('refuses %s with %i', async (line, code, message) => {
  const ended = await run(line);
  expect([ended.code, ended.stderr]).toEqual([code, expect.stringContaining(message)]);
});

it('moves what was written before stores had names out of the store that has it now', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'coffer-migrate-'));
  const [first, second] = [coffer.env['COFFER_KEYRING_FILE'], join(folder, 'second')];
  expect((await run(`keyring create ${second} --installation-of ${first}`)).code).toBe(0);
  const { COFFER_KEYRING_FILE: _, ...rest } = coffer.env;
  const env = { ...rest, COFFER_STORES: `main=software:${first},second=software:${second}` };
  const migrate = async (): Promise<Ended> =>
    await runCoffer('backend migrate --from main --to second --rest 0'.split(' '), {
      cwd: '/tmp',
      stdin: '',
      env,
    });
  const all = expect.stringMatching(/^Rotated the KEKs of ([1-9]\d*) of \1 projects\.\n$/);
  expect(await migrate()).toMatchObject({ code: 0, stdout: all });
  const { rows } = await coffer.installation.db.query({ text: 'SELECT DISTINCT store FROM keks' });
  expect(rows).toEqual([{ store: 'second' }]);
  expect(await migrate()).toMatchObject({ code: 0, stdout: 'Rotated the KEKs of 0 of 0 projects.\n' });
  rmSync(folder, { recursive: true });
});
