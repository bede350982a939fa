import { readFile, stat } from 'node:fs/promises';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { nouns } from '../../src/cli/commands.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { fillProject, type Kept, readAll } from '../rotation/stage.ts';
import { type Ended, runCoffer } from './run-coffer.ts';

let coffer: StartedCoffer;
let person: Person;
let kept: Kept[];

beforeAll(async () => {
  coffer = await startCoffer({ env: { COFFER_WORKER: 'off' } });
  person = await coffer.person(['creator'], 'shop');
  kept = await fillProject(person, 3);
});

afterAll(async () => await coffer.stop());

const run = async (line: string): Promise<Ended> =>
  await runCoffer(line.split(' '), { cwd: '/tmp', stdin: '', env: coffer.env });

/** On a terminal, where somebody types. */
async function typing(
  answer: string,
  line: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const stdin = Object.assign(Readable.from([Buffer.from(answer)]), { isTTY: true });
  const [stdout, stderr] = [0, 1].map(() => Object.assign(new PassThrough(), { isTTY: true }));
  const printed = [stdout!, stderr!].map(async (stream) => await text(stream));
  const surroundings = { env: coffer.env, cwd: '/tmp', stdin, stdout: stdout!, stderr: stderr! };
  const code = await runCommandLine(line.split(' '), surroundings, nouns);
  stdout!.end();
  stderr!.end();
  return { code, stdout: (await printed[0]) ?? '', stderr: (await printed[1]) ?? '' };
}

/** The line that the command leaves, as a server's log has it. */
const auditOf = ({ stderr }: Ended): unknown =>
  JSON.parse(stderr.split('\n').find((line) => line.includes('"audit"')) ?? '{}').audit;
const onRecord = {
  outcome: 'allowed',
  user: 'operator',
  account: process.getuid?.(),
  subject: 'software/mk-next',
};

const keyring = async (): Promise<string> => await readFile(coffer.env['COFFER_KEYRING_FILE'] ?? '', 'utf8');
const listed = async (): Promise<unknown> => JSON.parse((await run('master-key list -o json')).stdout);

it('adds a key, moves every KEK to it, and takes the old one out of the file', async () => {
  const where = coffer.env['COFFER_KEYRING_FILE'];
  const added = await run('master-key add mk-next -o json');
  expect(added.code).toBe(0);
  expect(auditOf(added)).toEqual({ ...onRecord, action: 'keyring:add_master_key' });
  expect(JSON.parse(added.stdout)).toEqual({ id: 'mk-next', store: 'software', where });
  expect((await stat(where ?? '')).mode & 0o777).toBe(0o600);
  expect(await listed()).toEqual([
    { id: 'mk-next', store: 'software', state: 'kept', keks: 0, where },
    { id: 'mk-test', store: 'software', state: 'active', keks: 2, where },
  ]);
  const refused = await run('master-key retire mk-test --yes');
  expect([refused.code, refused.stderr]).toEqual([
    6,
    expect.stringContaining('No master key of this store was'),
  ]);

  const rotated = await run('master-key rotate --to mk-next');
  expect(rotated.code).toBe(0);
  expect(JSON.parse(rotated.stdout)).toEqual({ id: 'mk-next', store: 'software', moved: 2, failed: 0 });
  const [first = '', ...others] = rotated.stderr.trim().split('\n');
  expect(JSON.parse(first)).toEqual({ progress: 'moving KEKs', done: 0, total: 2 });
  expect(JSON.parse(others.at(-2) ?? '')).toEqual({ progress: 'moving KEKs', done: 2, total: 2 });
  expect(auditOf(rotated)).toEqual({ ...onRecord, action: 'keyring:rotate_master_key' });

  expect(await run('master-key retire mk-test')).toMatchObject({ code: 64 });
  expect(await typing('mk-next\n', 'master-key retire mk-test')).toMatchObject({ code: 2 });
  expect(await keyring()).toContain('key mk-test ');
  const retired = await typing('mk-test\n', 'master-key retire mk-test');
  expect(retired.code).toBe(0);
  expect(retired.stderr).toContain('Type mk-test to go on: ');
  expect(await keyring()).not.toContain('mk-test');
  expect(await keyring()).toMatch(/^key mk-next [0-9a-f]{64} active$/m);
  expect(await listed()).toMatchObject([
    { id: 'mk-next', state: 'active', keks: 2 },
    { id: 'mk-test', state: 'retired' },
  ]);
  expect(await readAll(person, kept)).toEqual(kept.map(({ payload }) => payload));
});

it('shows a bar on a terminal, and a table of keys', async () => {
  await run('master-key add mk-bar');
  const { code, stdout, stderr } = await typing('', 'master-key rotate --to mk-bar');
  expect(code).toBe(0);
  expect(stderr).toContain('moving KEKs [##############################] 2/2\n');
  expect(stdout).toMatch(/^moved +2$/m);
  const table = await typing('', 'master-key list');
  expect(table.stdout).toMatch(/^ID +STORE +STATE +KEKS +WHERE$/m);
  expect(table.stdout).toMatch(/^mk-bar +software +active +2 +\//m);
});

it('ends with 1 and names a KEK of a store that is not configured', async () => {
  const { db } = coffer.installation;
  const moveTo = async (store: string): Promise<void> => {
    const text = 'UPDATE keks SET store = $2 WHERE project_id = $1';
    await db.query({ text, values: [person.projectId, store] });
  };
  await moveTo('elsewhere');
  const { code, stderr } = await run('master-key rotate --to mk-bar');
  await moveTo('software');
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining(
      `Not moved: the KEK of project ${person.projectId}, epoch 1, is of the store elsewhere`,
    ),
  ]);
  const again = await run('master-key rotate --to mk-bar');
  expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('"progress":"checking KEKs"')]);
});

it('ends with 1 and names the project and epoch of a KEK that does not open', async () => {
  const other = await coffer.person(['creator'], 'damaged');
  await fillProject(other, 1);
  const { db } = coffer.installation;
  const flipped = 'set_byte(wrapped_kek, 30, get_byte(wrapped_kek, 30) # 1)';
  const damage = {
    text: `UPDATE keks SET wrapped_kek = ${flipped} WHERE project_id = $1`,
    values: [other.projectId],
  };
  await db.query(damage);
  await run('master-key add mk-last');
  const { code, stdout, stderr } = await run('master-key rotate --to mk-last -o json');
  expect([code, JSON.parse(stdout)]).toMatchObject([1, { moved: 2, failed: 1 }]);
  expect(stderr).toContain(
    `Not moved: the KEK of project ${other.projectId}, epoch 1, does not open under the master key mk-bar.\n`,
  );
  const retired = await run('master-key retire mk-bar --yes');
  expect([retired.code, retired.stderr]).toEqual([
    6,
    expect.stringContaining('1 KEK needs the master key mk-bar'),
  ]);
  await db.query(damage);
  expect((await run('master-key rotate --to mk-last')).code).toBe(0);
  const gone = await run('master-key retire mk-bar --yes');
  expect([gone.code, auditOf(gone)]).toEqual([
    0,
    { ...onRecord, action: 'keyring:retire_master_key', subject: 'software/mk-bar' },
  ]);
});

it.each([
  ['master-key rotate', 64, '--to ID'],
  ['master-key rotate --to nosuch', 3, 'has no master key nosuch'],
  ['master-key rotate --to mk-last --store hsm', 64, 'there is no store hsm; there are: software'],
  ['master-key add mk-last', 6, 'has a key mk-last already'],
  ['master-key add mk-test', 6, 'is retired: choose another id'],
  ['master-key add .x', 2, 'a key id is 1 to 64'],
  ['master-key add one two', 64, 'one ID at most'],
  ['master-key retire', 64, 'one ID'],
  ['master-key retire nosuch --yes', 3, 'has no master key nosuch'],
  ['master-key retire mk-last --yes', 6, 'New KEKs are under mk-last'],
  ['master-key list more', 64, 'takes flags alone'],
])('refuses %s with %i', async (line, code, message) => {
  const ended = await run(line);
  expect([ended.code, ended.stderr]).toEqual([code, expect.stringContaining(message)]);
});
