import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { type BuiltCoffer, buildCoffer, type Ended } from './built-coffer.ts';

const unknownId = '3b6c1a52-7d5e-4f0a-9c1b-2a3d4e5f6071';
let server: StartedCoffer;
let coffer: BuiltCoffer;
let env: Record<string, string>;

beforeAll(async () => {
  server = await startCoffer();
  coffer = await buildCoffer();
  env = await environmentOf('creator');
});
afterAll(async () => {
  coffer.remove();
  await server.stop();
});

async function environmentOf(role: 'creator' | 'observer'): Promise<Record<string, string>> {
  const { name, password } = await server.person([role]);
  return {
    OS_AUTH_URL: `${server.url}/identity/v3`,
    OS_USERNAME: name,
    OS_PASSWORD: password,
    OS_PROJECT_NAME: 'demo',
    OS_USER_DOMAIN_NAME: 'Default',
    OS_PROJECT_DOMAIN_NAME: 'Default',
  };
}

const run = (args: string[], stdin: string | Uint8Array = ''): Promise<Ended> =>
  coffer.run(args, { env, stdin });

async function store(name: string, value: string | Uint8Array): Promise<string> {
  const { code, stdout, stderr } = await run(['secret', 'store', name, '-o', 'raw'], value);
  expect([code, stderr]).toEqual([0, '']);
  return stdout.toString().trim();
}

describe('coffer secret', () => {
  it('stores from a pipe and gets the same bytes back, with no newline added', async () => {
    // Not ending with a newline, of which it would be told.
    const noise = Buffer.concat([randomBytes(299), Buffer.of(0)]);
    for (const value of [Buffer.from('canary'), noise, Buffer.from('two\nlines\n')]) {
      const id = await store('bytes', value);
      const got = await run(['secret', 'get', id]);
      expect(got.code).toBe(0);
      expect(got.stdout.equals(value)).toBe(true);
    }
  });

  it('never takes a value from an argument: it ends with 64 and says what to do, without the value', async () => {
    const ended = await run(['secret', 'store', 'name', 'canary-value']);
    expect(ended.code).toBe(64);
    expect(ended.stderr).toMatch(/--from-file/);
    expect(ended.stderr.trim().split('\n')).toHaveLength(1);
    expect(ended.stderr + String(ended.stdout)).not.toContain('canary');
  });

  it('stores from a file and generates', async () => {
    writeFileSync(join(coffer.home, 'key.pem'), '-----BEGIN-----\n');
    const filed = await run([
      'secret',
      'store',
      'filed',
      '--from-file',
      'key.pem',
      '--type',
      'private',
      '-o',
      'raw',
    ]);
    expect((await run(['secret', 'get', String(filed.stdout).trim()])).stdout.toString()).toBe(
      '-----BEGIN-----\n',
    );
    expect((await run(['secret', 'store', 'made', '--generate', '40'])).code).toBe(0);
    expect((await run(['secret', 'get', 'made'])).stdout.toString()).toMatch(/^[A-Za-z0-9]{40}$/);
  });

  it('takes an id, a reference, or a name that only one secret has', async () => {
    const id = await store('only one', 'v');
    const { secret_ref: ref } = JSON.parse(String((await run(['secret', 'show', id])).stdout)) as {
      secret_ref: string;
    };
    for (const text of [id, ref, 'only one'])
      expect((await run(['secret', 'get', text])).stdout.toString()).toBe('v');
    const [first, second] = [await store('twice', '1'), await store('twice', '2')];
    const twice = await run(['secret', 'get', 'twice']);
    expect([twice.code, String(twice.stdout)]).toEqual([6, '']);
    expect(twice.stderr).toContain(first);
    expect(twice.stderr).toContain(second);
    const none = await run(['secret', 'get', 'nobody']);
    expect(none.code).toBe(3);
    expect(none.stderr).toContain('coffer secret list');
  });

  it('takes names literally that look like patterns', async () => {
    await store('100% a_b', 'v');
    expect((await run(['secret', 'get', '100% a_b'])).stdout.toString()).toBe('v');
    expect((await run(['secret', 'get', '100%%'])).code).toBe(3);
  });

  it('gets as JSON and as an assignment', async () => {
    const id = await store('db-password', "it's");
    expect(JSON.parse(String((await run(['secret', 'get', id, '-o', 'json'])).stdout))).toEqual({
      id,
      name: 'db-password',
      value: "it's",
    });
    expect(String((await run(['secret', 'get', id, '-o', 'env'])).stdout)).toBe("DB_PASSWORD='it'\\''s'\n");
    const bytes = await store('raw', Uint8Array.from([0, 255]));
    expect(JSON.parse(String((await run(['secret', 'get', bytes, '-o', 'json'])).stdout))).toMatchObject({
      value_base64: 'AP8=',
    });
    expect((await run(['secret', 'get', id, '-o', 'table'])).code).toBe(64);
  });

  it('lists and shows without values, in each format', async () => {
    const id = await store('shown', 'canary-shown');
    for (const format of ['table', 'json', 'yaml', 'raw']) {
      const listed = await run(['secret', 'list', '--name', 'shown', '-o', format]);
      const shown = await run(['secret', 'show', id, '-o', format]);
      for (const { code, stdout } of [listed, shown]) {
        expect(code).toBe(0);
        expect(String(stdout)).toContain(id);
        expect(String(stdout)).not.toContain('canary');
      }
    }
    expect(JSON.parse(String((await run(['secret', 'list', '--limit', '2'])).stdout))).toHaveLength(2);
  });

  it('deletes with --yes and not without', async () => {
    const id = await store('gone', 'v');
    expect((await run(['secret', 'delete', id])).code).toBe(64);
    expect((await run(['secret', 'delete', id, '--yes'])).code).toBe(0);
    expect((await run(['secret', 'delete', id, '--yes'])).code).toBe(3);
  });
});

describe('exit codes', () => {
  it.each([
    [2, ['secret', 'store', 'x', '--type', 'nonsense']],
    [3, ['secret', 'get', unknownId]],
    [64, ['secret', 'get']],
    [64, ['secret', 'get', 'a', 'b']],
    [64, ['secret', 'store', 'x', '--generate', 'much']],
    [64, ['run', '--', 'true']],
  ])('%i for %j', async (code, args) => {
    const ended = await run(args, 'value');
    expect(ended.code).toBe(code);
    expect(ended.stderr).toMatch(/^coffer: .+\n$/);
  });

  it('4 when not signed in or refused, 5 without the right, 8 when nothing answers, 78 for a wrong address', async () => {
    expect((await coffer.run(['secret', 'list'])).code).toBe(4);
    expect((await coffer.run(['secret', 'list'], { env: { ...env, OS_PASSWORD: 'wrong' } })).code).toBe(4);
    const observer = await environmentOf('observer');
    expect((await coffer.run(['secret', 'store', 'x'], { env: observer, stdin: 'v' })).code).toBe(5);
    const nowhere = { ...env, OS_AUTH_URL: 'http://127.0.0.1:1/v3' };
    expect((await coffer.run(['secret', 'list'], { env: nowhere })).code).toBe(8);
    const insecure = { ...env, OS_AUTH_URL: 'http://vault.example/v3' };
    expect((await coffer.run(['secret', 'list'], { env: insecure })).code).toBe(78);
  });
});

describe('coffer login', () => {
  it('takes the password from standard input and keeps the token for its owner alone', async () => {
    const { OS_USERNAME: user, OS_PASSWORD: password, OS_PROJECT_NAME: project } = env;
    const args = ['login', '--url', server.url, '--user', user!, '--project', project!];
    const ended = await coffer.run(args, { stdin: `${password}\n` });
    expect([ended.code, ended.stderr]).toEqual([0, '']);
    const path = join(coffer.home, '.local/state/coffer/token');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const kept = readFileSync(path, 'utf8');
    expect(kept).not.toContain(password);
    expect(JSON.parse(kept)).toMatchObject({ url: server.url, user, project });
    expect(String(ended.stdout)).not.toContain((JSON.parse(kept) as { token: string }).token);
    expect((await coffer.run(['secret', 'list'])).code).toBe(0);
    // other credentials in the environment come first
    expect((await coffer.run(['secret', 'list'], { env: { ...env, OS_USERNAME: 'other' } })).code).toBe(4);
    const others = { ...env, OS_PASSWORD: 'wrong' };
    for (const other of [
      { ...others, OS_USERNAME: '', OS_USER_ID: 'other' },
      { ...others, OS_PROJECT_NAME: '', OS_PROJECT_ID: 'other' },
    ])
      expect((await coffer.run(['secret', 'list'], { env: other })).code).toBe(4);
    const { project_id } = JSON.parse(kept) as { project_id: string };
    const same = { ...others, OS_PROJECT_NAME: '', OS_PROJECT_ID: project_id };
    expect((await coffer.run(['secret', 'list'], { env: same })).code).toBe(0);
    // the token goes to no other server
    expect((await coffer.run(['secret', 'list', '--url', 'http://127.0.0.1:1'])).code).toBe(4);
    chmodSync(path, 0o644);
    expect((await coffer.run(['secret', 'list'])).code).toBe(78);
    rmSync(path);
  });

  it('obeys XDG_STATE_HOME, and keeps nothing after a wrong password', async () => {
    const state = join(coffer.home, 'state');
    const args = [
      'login',
      '--url',
      server.url,
      '--user',
      env['OS_USERNAME']!,
      '--project',
      env['OS_PROJECT_NAME']!,
    ];
    const wrong = await coffer.run(args, { stdin: 'canary-wrong', env: { XDG_STATE_HOME: state } });
    expect(wrong.code).toBe(4);
    expect(wrong.stderr).not.toContain('canary');
    expect(existsSync(join(state, 'coffer/token'))).toBe(false);
    expect((await coffer.run(['login'], { env: { ...env, XDG_STATE_HOME: state } })).code).toBe(0);
    expect((await coffer.run(['secret', 'list'], { env: { XDG_STATE_HOME: state } })).code).toBe(0);
  });
});

describe('coffer run', () => {
  const node = process.execPath;

  it('gives the child the values, and keeps them out of its own environment and arguments', async () => {
    const [id, value] = [await store('key', 'canary-key'), 'canary-key'];
    await store('named', 'by name');
    const script = 'process.stdout.write(process.env.A + "|" + process.env.B + "|" + process.argv[1])';
    const args = ['run', '--secret', `A=${id}`, '-s', 'B=named', '--', node, '-e', script, '--', '--flag'];
    const ended = await run(args);
    expect([ended.code, String(ended.stdout)]).toEqual([0, `${value}|by name|--flag`]);
    const look = `const fs = require('fs'), parent = '/proc/' + process.ppid;
      process.stdout.write(fs.readFileSync(parent + '/environ') + fs.readFileSync(parent + '/cmdline'))`;
    const looked = await run(['run', '-s', `A=${id}`, '--', node, '-e', look]);
    expect(looked.code).toBe(0);
    expect(String(looked.stdout)).not.toContain(value);
  });

  it("ends with the child's code, 127 for what is not there, 126 for what cannot run", async () => {
    await store('any', 'v');
    const wish = ['run', '-s', 'A=any', '--'];
    for (const code of [0, 1, 42, 255]) {
      expect((await run([...wish, node, '-e', `process.exit(${code})`])).code).toBe(code);
    }
    expect((await run([...wish, 'no-such-program'])).code).toBe(127);
    writeFileSync(join(coffer.home, 'plain'), 'text');
    expect((await run([...wish, join(coffer.home, 'plain')])).code).toBe(126);
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'passes %s on and ends with 128 + its number',
    async (signal) => {
      await store(signal, 'v');
      const wait = 'process.stdout.write("up"); setInterval(() => {}, 1000)';
      const { child, ended } = coffer.start(['run', '-s', `A=${signal}`, '--', node, '-e', wait], { env });
      await new Promise((up) => child.stdout!.once('data', up));
      child.kill(signal);
      const { SIGTERM, SIGINT, SIGHUP } = { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 };
      expect((await ended).code).toBe({ SIGTERM, SIGINT, SIGHUP }[signal]);
    },
  );

  it('lets the child decide what a signal means', async () => {
    await store('graceful', 'v');
    const wait =
      'process.on("SIGTERM", () => process.exit(7)); process.stdout.write("up"); setInterval(() => {}, 1000)';
    const { child, ended } = coffer.start(['run', '-s', 'A=graceful', '--', node, '-e', wait], { env });
    await new Promise((up) => child.stdout!.once('data', up));
    child.kill('SIGTERM');
    expect((await ended).code).toBe(7);
  });

  it('starts nothing when a secret is missing or no text', async () => {
    const missing = await run(['run', '-s', `A=${unknownId}`, '--', node, '-e', 'console.log("ran")']);
    expect([missing.code, String(missing.stdout)]).toEqual([3, '']);
    const id = await store('binary', Uint8Array.from([0xff, 0]));
    const binary = await run(['run', '-s', `A=${id}`, '--', node, '-e', 'console.log("ran")']);
    expect([binary.code, String(binary.stdout)]).toEqual([2, '']);
  });
});
