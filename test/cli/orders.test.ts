import { afterAll, beforeAll, expect, it } from 'vitest';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { type BuiltCoffer, buildCoffer, type Ended } from './built-coffer.ts';

let server: StartedCoffer;
let coffer: BuiltCoffer;
let env: Record<string, string>;

beforeAll(async () => {
  server = await startCoffer();
  coffer = await buildCoffer();
  const { name, password } = await server.person(['creator', 'admin']);
  env = {
    OS_AUTH_URL: `${server.url}/identity/v3`,
    OS_USERNAME: name,
    OS_PASSWORD: password,
    OS_PROJECT_NAME: 'demo',
    OS_USER_DOMAIN_NAME: 'Default',
    OS_PROJECT_DOMAIN_NAME: 'Default',
  };
});
afterAll(async () => {
  coffer.remove();
  await server.stop();
});

const run = async (args: string[], stdin = ''): Promise<Ended> => await coffer.run(args, { env, stdin });

async function order(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await run(['order', ...args]);
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout.toString()) as Record<string, unknown>;
}

it('orders a key, waits for it, shows, lists and deletes it', async () => {
  const flags = ['--algorithm', 'aes', '--bits', '256', '--name', 'typed', '--mode', 'cbc'];
  const made = await order('create', 'key', ...flags, '--wait');
  expect(made).toMatchObject({
    name: 'typed',
    status: 'ACTIVE',
    algorithm: 'aes',
    bit_length: 256,
    mode: 'cbc',
  });
  const value = await run(['secret', 'get', String(made['secret_id'])]);
  expect(value.stdout).toHaveLength(32);
  const id = String(made['id']);
  expect(await order('get', id)).toEqual(made);
  expect(await order('wait', String(made['order_ref']))).toEqual(made);
  expect(await order('list', '--meta', '"name": "typed"')).toEqual([made]);
  expect((await run(['order', 'delete', id])).code).toBe(64);
  expect((await run(['order', 'delete', id, '--yes'])).code).toBe(0);
  expect((await run(['order', 'get', id])).code).toBe(3);
});

it('orders a pair under a passphrase from standard input, and never takes one as an argument', async () => {
  const flags = ['--algorithm', 'rsa', '--bits', '1024', '--wait'];
  const { code, stdout } = await run(
    ['order', 'create', 'asymmetric', ...flags, '--passphrase'],
    'canary words',
  );
  expect(code).toBe(0);
  expect(JSON.parse(stdout.toString())).toMatchObject({ status: 'ACTIVE', secret_id: null });
  expect(stdout.toString()).not.toContain('canary');
  const spoken = await run(['order', 'create', 'asymmetric', ...flags, '--passphrase', 'canary']);
  expect(spoken.code).toBe(64);
  expect(spoken.stderr).not.toContain('canary');
});

it('ends with 2 and the reason when an order ended in ERROR', async () => {
  const ended = await run(['order', 'create', 'key', '--algorithm', 'aes', '--bits', '72', '--wait']);
  expect(ended.code).toBe(2);
  expect(ended.stderr).toContain('Process TypeOrder failure seen');
  expect(JSON.parse(ended.stdout.toString())).toMatchObject({ status: 'ERROR', error_status_code: '500' });
});

it.each([
  ['create'],
  ['create', 'certificate', '--algorithm', 'rsa', '--bits', '2048'],
  ['create', 'key', '--bits', '256'],
  ['create', 'key', '--algorithm', 'aes', '--bits', 'many'],
  ['create', 'key', '--algorithm', 'aes', '--bits', '256', '--passphrase'],
  ['create', 'asymmetric', '--algorithm', 'rsa', '--bits', '2048', '--mode', 'cbc'],
  ['wait', 'some-id', '--timeout', 'long'],
  ['get'],
])('says what to type instead of order %s %s', async (...args) => {
  const ended = await run(['order', ...args]);
  expect(ended.code).toBe(64);
  expect(ended.stderr.trim()).not.toBe('');
});
