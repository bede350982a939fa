import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { type BuiltCoffer, buildCoffer, type Ended } from './built-coffer.ts';

let server: StartedCoffer;
let coffer: BuiltCoffer;
let owner: Person;
let env: Record<string, string>;

beforeAll(async () => {
  server = await startCoffer();
  coffer = await buildCoffer();
  owner = await server.person(['creator']);
  env = {
    OS_AUTH_URL: `${server.url}/identity/v3`,
    OS_USERNAME: owner.name,
    OS_PASSWORD: owner.password,
    OS_PROJECT_NAME: 'demo',
    OS_USER_DOMAIN_NAME: 'Default',
    OS_PROJECT_DOMAIN_NAME: 'Default',
  };
});
afterAll(async () => {
  coffer.remove();
  await server.stop();
});

const run = async (...args: string[]): Promise<Ended> => await coffer.run(args, { env, stdin: '' });
const json = async (...args: string[]): Promise<unknown> => {
  const { code, stdout, stderr } = await run(...args);
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout.toString());
};
const time = expect.stringMatching(/Z$/);

it('shares a secret by its name, takes users off it, and goes back to the default', async () => {
  await owner.client.post('/v1/secrets', { name: 'shared' });
  const nothing = { project_access: 'true', users: '', created: null, updated: null };
  expect(await json('acl', 'show', 'shared')).toEqual(nothing);
  const set = await json('acl', 'set', 'shared', '--private', '--user', 'a', '--user', 'b');
  expect(set).toEqual({ project_access: 'false', users: 'a b', created: time, updated: time });
  expect(await json('acl', 'grant', 'shared', '--user', 'c')).toMatchObject({
    project_access: 'false',
    users: 'a b c',
  });
  const revoked = await json('acl', 'revoke', 'shared', '--user', 'a', '--user', 'c', '--user', 'nobody');
  expect(revoked).toMatchObject({ project_access: 'false', users: 'b' });
  expect(await json('acl', 'set', 'shared', '--open')).toMatchObject({ project_access: 'true', users: '' });
  expect(await json('acl', 'delete', 'shared')).toEqual(nothing);
});

it('registers, lists and removes who uses a secret', async () => {
  await owner.client.post('/v1/secrets', { name: 'used' });
  const web = ['--service', 'nova', '--type', 'server', '--resource', 'web-1'];
  for (let round = 0; round < 2; round += 1) {
    expect((await run('consumer', 'add', 'used', ...web)).code).toBe(0);
  }
  expect(await json('consumer', 'list', 'used')).toEqual([
    { service: 'nova', resource_type: 'server', resource_id: 'web-1', created: time },
  ]);
  expect((await run('consumer', 'remove', 'used', ...web)).code).toBe(0);
  const again = await run('consumer', 'remove', 'used', ...web);
  expect([again.code, again.stderr]).toEqual([3, expect.stringContaining('Consumer not found.')]);
  expect(await json('consumer', 'list', 'used')).toEqual([]);
});

it('does the same for a container', async () => {
  const { container_ref } = (await owner.client.post('/v1/containers', { type: 'generic' })).json;
  const box = [String(container_ref), '--container'];
  expect(await json('acl', 'set', ...box, '--private', '--user', 'octavia')).toMatchObject({
    project_access: 'false',
    users: 'octavia',
  });
  const lb = ['--name', 'lbaas', '--at', 'lbaas://region/lb/1'];
  expect((await run('consumer', 'add', ...box, ...lb)).code).toBe(0);
  expect(await json('consumer', 'list', ...box)).toEqual([
    { name: 'lbaas', url: 'lbaas://region/lb/1', created: time },
  ]);
  expect((await run('consumer', 'remove', ...box, ...lb)).code).toBe(0);
});

it.each([
  ['acl', 'show'],
  ['acl', 'set', 'x', '--user', 'a'],
  ['acl', 'set', 'x', '--private', '--open'],
  ['acl', 'grant', 'x'],
  ['acl', 'revoke', 'x', 'y'],
  ['consumer', 'list'],
  ['consumer', 'add', 'x', '--service', 'nova'],
  ['consumer', 'add', 'x', '--container', '--name', 'lbaas'],
])('says what to type instead of %s %s', async (...args) => {
  const ended = await run(...args);
  expect(ended.code).toBe(64);
  expect(ended.stderr.trim()).not.toBe('');
});

it('ends with 3 for what is not there, by its id or by a name', async () => {
  const unknown = '3b6c1a52-7d5e-4f0a-9c1b-2a3d4e5f6071';
  expect((await run('acl', 'show', unknown)).code).toBe(3);
  expect((await run('acl', 'show', unknown, '--container')).code).toBe(3);
  expect((await run('consumer', 'list', 'no-id', '--container')).code).toBe(3);
});
