import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { nouns } from '../../src/cli/commands.ts';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { countLeft, fillProject } from '../projects/doomed-project.ts';
import { type Ended, runCoffer } from './run-coffer.ts';

let coffer: StartedCoffer;

beforeAll(async () => {
  coffer = await startCoffer({ env: { COFFER_WORKER: 'off' } });
});

afterAll(async () => await coffer.stop());

const run = async (line: string): Promise<Ended> =>
  await runCoffer(line.split(' '), { cwd: '/tmp', stdin: '', env: coffer.env });

/** On a terminal, where somebody types. */
async function typing(answer: string, line: string): Promise<{ code: number; stderr: string }> {
  const stdin = Object.assign(Readable.from([Buffer.from(answer)]), { isTTY: true });
  const stderr = Object.assign(new PassThrough(), { isTTY: true });
  const printed = text(stderr);
  const surroundings = { env: coffer.env, cwd: '/tmp', stdin, stdout: new PassThrough().resume(), stderr };
  const code = await runCommandLine(line.split(' '), surroundings, nouns);
  stderr.end();
  return { code, stderr: await printed };
}

it('destroys keys and rows of a project by its name, and says what backups open with', async () => {
  const [person] = await fillProject(coffer, 'shop');
  const { code, stdout, stderr } = await run('project shred shop --yes');
  expect([code, stdout]).toEqual([
    0,
    `Shredded the project shop (${person.projectId}): 1 keys and 15 rows are destroyed.\n`,
  ]);
  const [record, first, ...lines] = stderr.trim().split('\n');
  expect(JSON.parse(record ?? '')).toMatchObject({
    audit: { action: 'identity:delete_project', user: 'operator', subject: person.projectId },
  });
  expect(JSON.parse(first ?? '')).toEqual({ progress: 'deleting rows', done: 0, total: 15 });
  expect(lines.join('\n')).toContain('coffer master-key retire mk-test --store software');
  expect(await countLeft(coffer, person.projectId)).toEqual({ projects: 1 });
  expect((await run('project shred shop --yes')).code).toBe(3);
  expect((await run(`project shred ${person.projectId} --yes`)).code).toBe(0);
});

it('goes on once its name was typed on a terminal, and not otherwise', async () => {
  const [person] = await fillProject(coffer, 'stall');
  const before = await countLeft(coffer, person.projectId);
  expect(await run('project shred stall')).toMatchObject({ code: 64 });
  const other = await typing('shop\n', 'project shred stall');
  expect(other.code).toBe(2);
  expect(await countLeft(coffer, person.projectId)).toEqual(before);
  const { code, stderr } = await typing('stall\n', 'project shred stall');
  expect(code).toBe(0);
  expect(stderr).toContain('Type stall to go on: ');
  expect(stderr).toContain('deleting rows [##############################] 15/15\n');
  expect(await countLeft(coffer, person.projectId)).toEqual({ projects: 1 });
});

it.each([
  ['project shred', 64],
  ['project shred nosuch --yes', 3],
  ['project shred system --yes', 3],
])('refuses %s with %i', async (line, code) => {
  expect((await run(line)).code).toBe(code);
});
