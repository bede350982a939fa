import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { type Ended, runCoffer } from './run-coffer.ts';

const unknownId = '3b6c1a52-7d5e-4f0a-9c1b-2a3d4e5f6071';
let server: StartedCoffer;
let env: Record<string, string>;
let home: string;
beforeAll(async () => {
  server = await startCoffer();
  home = mkdtempSync(join(tmpdir(), 'coffer-home-'));
  const { token } = await server.person(['creator']);
  env = { HOME: home, COFFER_URL: server.url, OS_TOKEN: token };
});
afterAll(async () => {
  rmSync(home, { recursive: true });
  await server.stop();
});

const run = async (line: string, stdin = '', stdoutIsTerminal = false): Promise<Ended> =>
  await runCoffer(line.split(' '), { env, stdin, stdoutIsTerminal });
async function done(line: string, stdin = ''): Promise<string> {
  const { code, stdout, stderr } = await run(line, stdin);
  expect([line, code, stderr]).toEqual([line, 0, '']);
  return stdout;
}
const json = async (line: string): Promise<ReturnType<typeof JSON.parse>> => JSON.parse(await done(line));
const store = async (name: string): Promise<string> =>
  (await done(`secret store ${name} -o raw`, 'value')).trim();

describe('coffer container', () => {
  it('puts secrets together by name or id, and shows them in every form', async () => {
    const certificate = await store('site-cert');
    const key = await store('site-key');
    const made = await json(
      `container create site --type certificate --secret certificate=site-cert --secret private_key=${key}`,
    );
    expect(made).toMatchObject({
      name: 'site',
      type: 'certificate',
      secrets: [
        { name: 'certificate', secret_id: certificate },
        { name: 'private_key', secret_id: key },
      ],
      consumers: [],
    });
    expect(await json('container get site')).toEqual(made);
    expect(await json(`container get ${made.container_ref}`)).toEqual(made);
    expect(await done('container get site -o raw')).toBe(`${made.id}\n`);
    expect(await done('container get site -o yaml')).toContain(
      `secrets: "certificate=${certificate} private_key=${key}"\n`,
    );
    expect(await done('container get site -o env')).toContain(`TYPE='certificate'\n`);
    const { stdout } = await run('container get site', '', true);
    expect(stdout).toMatch(/^type +certificate$/m);
    expect(stdout).not.toContain('value');
  });

  it('lists, with filters', async () => {
    for (const name of ['list-a', 'list-b']) await done(`container create ${name}`);
    expect((await json('container list --name list-%')).map(({ name }: { name: string }) => name)).toEqual([
      'list-a',
      'list-b',
    ]);
    expect(await json('container list --name list-% --limit 1')).toHaveLength(1);
    expect(await json('container list --name list-% --type rsa')).toEqual([]);
    const { stdout } = await run('container list --name list-%', '', true);
    expect(stdout.split('\n')[0]).toMatch(/^ID +NAME +TYPE +CREATED +SECRETS$/);
    expect((await done('container list --name list-% -o raw')).split('\n')).toHaveLength(3);
  });

  it('adds and removes secrets', async () => {
    const id = await store('member');
    await done('container create changed');
    const added = await json('container add changed --secret one=member --secret two=member');
    expect(added.secrets).toEqual([
      { name: 'one', secret_id: id },
      { name: 'two', secret_id: id },
    ]);
    expect((await run('container add changed --secret one=member')).code).toBe(6);
    const left = await json(`container remove changed --secret one=${id}`);
    expect(left.secrets).toEqual([{ name: 'two', secret_id: id }]);
    expect((await run('container remove changed --secret one=member')).code).toBe(3);
  });

  it('deletes with --yes, and not without it when nobody can be asked', async () => {
    const { id } = await json('container create gone');
    const refused = await run('container delete gone');
    expect([refused.code, refused.stderr]).toEqual([64, expect.stringContaining('--yes')]);
    await done('container delete gone --yes');
    expect((await run(`container get ${id}`)).code).toBe(3);
    expect((await run('container get gone')).stderr).toBe(
      'coffer: no container is named gone; see coffer container list\n',
    );
  });

  it('says which when a name is not the only one', async () => {
    const ids = [await json('container create twin'), await json('container create twin')].map(
      ({ id }) => id,
    );
    const { code, stderr } = await run('container get twin');
    expect(code).toBe(6);
    expect(stderr).toContain(`2 containers are named twin; use an id: ${ids.join(', ')}`);
  });

  it.each([
    ['container create a b', 'one NAME'],
    ['container create --type dsa', '--type is one of generic, rsa, certificate'],
    ['container create --secret nameless', 'SLOT=SECRET'],
    ['container get', 'takes one container'],
    ['container get a b', 'takes one container'],
    ['container list x', 'flags alone'],
    ['container list --limit 0', '--limit'],
    ['container add x', 'needs --secret'],
    ['container remove x', 'needs --secret'],
    ['container get x -o xml', '--output'],
  ])('ends with 64 and says what to type: %s', async (line, told) => {
    const { code, stderr } = await run(line);
    expect([code, stderr]).toEqual([64, expect.stringContaining(told)]);
  });

  it('ends with the code of what the server refuses', async () => {
    await store('any');
    const twice = await run('container create --secret x=any --secret x=any');
    expect([twice.code, twice.stderr]).toEqual([64, expect.stringContaining('twice')]);
    expect((await run('container create --type rsa --secret x=any')).code).toBe(2);
    expect((await run(`container get ${unknownId}`)).code).toBe(3);
    expect((await run(`container create --secret x=${unknownId}`)).code).toBe(3);
  });
});

describe('a container', () => {
  it('is found by its name for its ACL and its consumers too', async () => {
    await done('container create found');
    const set = await json('acl set found --container --private --user u1');
    expect(set).toMatchObject({ project_access: 'false', users: 'u1' });
    expect(await json('acl show found --container')).toEqual(set);
    await done('consumer add found --container --name balancer --at https://lb.example/1');
    const consumers = [{ name: 'balancer', url: 'https://lb.example/1' }];
    expect(await json('consumer list found --container')).toMatchObject(consumers);
    expect((await json('container get found')).consumers).toEqual(consumers);
    expect((await run('acl show lost --container')).code).toBe(3);
  });
});
