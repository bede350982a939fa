import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { type Ended, runCoffer } from './run-coffer.ts';

let coffer: StartedCoffer;
let home: string;

beforeAll(async () => {
  coffer = await startCoffer();
});
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'coffer-home-'));
  return () => rmSync(home, { recursive: true });
});
afterAll(async () => await coffer.stop());

const file = () => join(home, '.config', 'coffer', 'credential');
const run = async (line: string, stdin = '', env: Record<string, string> = {}): Promise<Ended> =>
  await runCoffer(line.split(' '), { cwd: home, stdin, env: { HOME: home, ...env } });

let apps = 0;
async function makeCode(flags = ''): Promise<string> {
  apps += 1;
  const line = `app create redeemed-${apps} --project shop --create-project --role creator -o raw${flags}`;
  const { code, stdout, stderr } = await runCoffer(line.split(' '), { cwd: home, env: coffer.env });
  expect([code, stderr]).toEqual([0, expect.not.stringContaining('coffer: ')]);
  return stdout.trim();
}

const filesBelow = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder, { recursive: true }).map(String) : [];

describe('coffer login --redeem', () => {
  it('keeps the credential where other commands find it, for its owner alone', async () => {
    const code = await makeCode();
    const { code: ended, stdout, stderr } = await run('login --redeem', `${code}\n`);
    expect([ended, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toEqual({
      id: expect.any(String),
      name: `redeemed-${apps}`,
      url: coffer.url,
      project_id: expect.any(String),
      expires_at: null,
      credential_file: file(),
    });
    expect(stdout).not.toMatch(/cof[ar]_/);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(filesBelow(join(home, '.config', 'coffer'))).toEqual(['credential']);
    expect(readFileSync(file(), 'utf8')).toMatch(
      /^# .*\nCOFFER_URL=http:\/\/127.+\nOS_AUTH_TYPE=v3applicationcredential\nOS_AUTH_URL=.+\/identity\/v3\nOS_APPLICATION_CREDENTIAL_ID=[0-9a-f]{32}\nOS_APPLICATION_CREDENTIAL_SECRET=cofa_\S{49}\n$/,
    );
    const stored = await run('secret store greeting -o raw', 'hello');
    expect([stored.code, stored.stderr]).toEqual([0, '']);
    expect(JSON.parse((await run('secret list')).stdout)).toMatchObject([{ name: 'greeting' }]);
  });

  it('takes the code from a file, and keeps the credential in the file that is named', async () => {
    writeFileSync(join(home, 'code'), await makeCode());
    const kept = join(home, 'kept');
    expect((await run(`login --redeem --from-file code --credential-file ${kept}`)).code).toBe(0);
    expect((await run('secret list')).code).toBe(4);
    expect((await run(`secret list --credential-file ${kept}`)).code).toBe(0);
    expect((await run('secret list --credential-file kept')).code).toBe(0);
    expect((await run('secret list', '', { COFFER_CREDENTIAL_FILE: kept })).code).toBe(0);
    const directory = join(home, 'systemd');
    mkdirSync(directory);
    writeFileSync(join(directory, 'coffer'), readFileSync(kept), { mode: 0o440 });
    expect((await run('secret list', '', { CREDENTIALS_DIRECTORY: directory })).code).toBe(0);
    chmodSync(kept, 0o644);
    const refused = await run(`secret list --credential-file ${kept}`);
    expect([refused.code, refused.stderr]).toEqual([78, expect.stringContaining('others may read')]);
  });

  it('tells who comes second that the credential is revoked', async () => {
    const code = await makeCode();
    expect((await run('login --redeem', code)).code).toBe(0);
    const kept = readFileSync(file(), 'utf8');
    const second = await run('login --redeem --yes', code);
    expect([second.code, second.stderr]).toEqual([6, expect.stringContaining('is revoked')]);
    expect(readFileSync(file(), 'utf8')).toBe(kept);
    expect(filesBelow(join(home, '.config', 'coffer'))).toEqual(['credential']);
    expect((await run('secret list')).code).toBe(4);
  });

  it('replaces a credential only when told to, and redeems nothing before', async () => {
    expect((await run('login --redeem', await makeCode())).code).toBe(0);
    const kept = readFileSync(file(), 'utf8');
    const code = await makeCode();
    expect((await run('login --redeem', code)).code).toBe(64);
    expect(readFileSync(file(), 'utf8')).toBe(kept);
    expect((await run('login --redeem --yes', code)).code).toBe(0);
    expect(readFileSync(file(), 'utf8')).not.toBe(kept);
  });

  it('redeems nothing when the credential could not be kept', async () => {
    const code = await makeCode();
    writeFileSync(join(home, 'no-folder'), '');
    const path = join(home, 'no-folder', 'credential');
    const refused = await run(`login --redeem --credential-file ${path}`, code);
    expect([refused.code, refused.stderr]).toEqual([78, expect.stringContaining('nothing was redeemed')]);
    expect((await run('login --redeem', code)).code).toBe(0);
  });

  it('comes in the place of an earlier log-in', async () => {
    const { name, password } = await coffer.person(['observer'], 'demo');
    const flags = `--url ${coffer.url} --user ${name} --project demo`;
    expect((await run(`login ${flags}`, password)).code).toBe(0);
    const token = join(home, '.local', 'state', 'coffer', 'token');
    expect(existsSync(token)).toBe(true);
    expect((await run('login --redeem', await makeCode())).code).toBe(0);
    expect(existsSync(token)).toBe(false);
    expect((await run('secret store mine', 'x')).code).toBe(0);
  });

  it.each([
    ['login --redeem cofr_x', '', 64],
    ['login --redeem', '', 2],
    ['login --redeem', `cofr_${'A'.repeat(49)}`, 78],
    ['login --redeem', `cofr_${'A'.repeat(49)}@http://vault.example`, 78],
    ['login --redeem --from-file nothing', '', 64],
  ])('ends %s with a code of %j with %i', async (line, stdin, code) => {
    const ended = await run(line, stdin);
    expect([ended.code, ended.stdout]).toEqual([code, '']);
    expect(existsSync(file())).toBe(false);
  });

  it('answers a code that is not known with 3', async () => {
    const ended = await run('login --redeem', `cofr_${'A'.repeat(49)}@${coffer.url}`);
    expect(ended.code).toBe(3);
    expect(filesBelow(join(home, '.config', 'coffer'))).toEqual([]);
  });
});
