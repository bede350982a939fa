import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { countLeft, fillProject } from '../projects/doomed-project.ts';
import { type Ended, runCoffer } from './run-coffer.ts';

let coffer: StartedCoffer;
beforeAll(async () => {
  coffer = await startCoffer();
});
afterAll(async () => await coffer.stop());

const run = async (line: string, stdin = ''): Promise<Ended> =>
  await runCoffer(line.split(' '), { cwd: tmpdir(), stdin, env: coffer.env });
const json = async (line: string): Promise<never> => {
  const { code, stdout, stderr } = await run(`${line} -o json`);
  expect([line, code, stderr]).toEqual([line, 0, expect.not.stringContaining('coffer: ')]);
  return JSON.parse(stdout) as never;
};
const done = async (line: string, stdin = ''): Promise<void> => {
  expect(await run(line, stdin)).toMatchObject({ code: 0, stdout: '' });
};

it('opens, shows, changes and deletes a project', async () => {
  expect((await run('project create shop --description sells')).code).toBe(0);
  const shown = await json('project show shop');
  expect(shown).toMatchObject({ name: 'shop', enabled: 'true', description: 'sells' });
  expect(await json(`project show ${(shown as { id: string }).id}`)).toEqual(shown);
  expect(await json('project list')).toContainEqual(shown);
  expect((await run('project list -o table')).stdout).toMatch(/^ID +NAME +ENABLED +DESCRIPTION\n/);
  expect(await json('project set shop --name store --disable')).toMatchObject({
    name: 'store',
    enabled: 'false',
  });
  expect(await json('project set store --enable')).toMatchObject({ enabled: 'true' });
  expect(await run('project delete store')).toMatchObject({
    code: 64,
    stderr: expect.stringContaining('--yes'),
  });
  await done('project delete store --yes');
  expect((await run('project show store')).code).toBe(3);
});

it('has a server that runs empty a deleted project at once', async () => {
  const [person] = await fillProject(coffer, 'stall');
  await done('project delete stall --yes');
  const left = async () => await countLeft(coffer, person.projectId);
  await expect.poll(left, { timeout: 10_000 }).toEqual({ projects: 1 });
});

it('makes, shows, changes and deletes a user', async () => {
  expect((await run('project create office')).code).toBe(0);
  expect((await run('user create ada --project office --role member', 'a long first word')).code).toBe(0);
  const shown = await json('user show ada');
  expect(shown).toMatchObject({ name: 'ada', enabled: 'true', email: null });
  expect(await json('user list')).toContainEqual(shown);
  expect(await json('user set ada --email ada@example.org')).toMatchObject({ email: 'ada@example.org' });
  await expect(coffer.logIn('ada', 'a long first word', 'office')).resolves.toBeTruthy();
  await done('user password ada', 'a long second word');
  await expect(coffer.logIn('ada', 'a long first word', 'office')).rejects.toThrow('401');
  await expect(coffer.logIn('ada', 'a long second word', 'office')).resolves.toBeTruthy();
  expect(await json('user set ada --disable')).toMatchObject({ enabled: 'false' });
  await expect(coffer.logIn('ada', 'a long second word', 'office')).rejects.toThrow('401');
  expect((await run('user delete ada')).code).toBe(64);
  await done('user delete ada --yes');
  expect((await run('user show ada')).code).toBe(3);
});

it('gives, lists and takes roles', async () => {
  expect((await run('project create works')).code).toBe(0);
  expect((await run('user create eve --project works --role manager', 'a long first word')).code).toBe(0);
  await done('role assign creator --user eve --project works');
  await done('role assign reader --user eve --system');
  await done('role assign member --user eve --domain');
  const list = async (flags: string) => {
    const found: { role: string; scope: string }[] = await json(
      `role assignments --user eve ${flags}`.trim(),
    );
    return found.map(({ role, scope }) => `${scope} ${role}`).sort();
  };
  expect(await list('')).toEqual(['domain member', 'project creator', 'project manager', 'system reader']);
  expect(await list('--project works --effective')).toEqual(
    ['creator', 'manager', 'member', 'reader'].map((role) => `project ${role}`),
  );
  expect(await list('--role creator')).toEqual(['project creator']);
  expect(await list('--system')).toEqual(['system reader']);
  await done('role remove creator --user eve --project works');
  await done('role remove member --user eve --domain');
  expect((await run('role remove member --user eve --domain')).code).toBe(3);
  expect(await list('')).toEqual(['project manager', 'system reader']);
  const roles: { name: string; built_in: string }[] = await json('role list');
  expect(roles[0]).toMatchObject({ name: 'admin', built_in: 'true' });
});

it('keeps the last administrator', async () => {
  for (const line of ['user delete admin --yes', 'user set admin --disable']) {
    expect(await run(line)).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('Nobody would be left'),
    });
  }
});

describe('a command line that cannot be meant', () => {
  it.each([
    ['project show', 64],
    ['project set office', 64],
    ['project set office --enable --disable', 64],
    ['project list more', 64],
    ['project show nosuch', 3],
    ['project delete nosuch --yes', 3],
    ['user set ada', 64],
    ['user password ada canary', 64],
    ['user password nosuch', 64],
    ['user show nosuch', 3],
    ['role assign member --user admin', 64],
    ['role assign member --project admin', 64],
    ['role assign member --user admin --project admin --system', 64],
    ['role assign nosuch --user admin --project admin', 3],
    ['role assign member --user admin --project nosuch', 3],
    ['role assignments --domain --system', 64],
  ])('%s ends with %i and changes nothing', async (line, code) => {
    const ended = await run(line);
    expect([ended.code, ended.stdout]).toEqual([code, '']);
    expect(ended.stderr).not.toContain('canary');
  });

  it.each(['project', 'user', 'role'])('%s --help has an example of each', async (noun) => {
    const { stdout } = await run(`${noun} --help`);
    const verbs = [...stdout.matchAll(new RegExp(`^ {2}(${noun} [a-z]+) `, 'gm'))].map(([, name]) =>
      String(name),
    );
    expect(verbs.length).toBeGreaterThan(3);
    for (const name of verbs) {
      expect((await run(`${name} --help`)).stdout).toMatch(new RegExp(`Example:\\n {2}coffer ${name}`));
    }
  });
});
