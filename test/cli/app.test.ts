import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPasswordHasher } from '../../src/crypto/password.ts';
import { createUser } from '../../src/identity/administration.ts';
import { readUser } from '../../src/identity/rights.ts';
import { logInWith } from '../contract/applications.ts';
import type { Client } from '../contract/raw-http.ts';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { type Ended, runCoffer } from './run-coffer.ts';

let coffer: StartedCoffer;
let cwd: string;

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'coffer-app-'));
  coffer = await startCoffer();
});
afterAll(async () => {
  await coffer.stop();
  rmSync(cwd, { recursive: true });
});

const run = async (line: string): Promise<Ended> =>
  await runCoffer(line.split(' '), { cwd, env: coffer.env });

async function made(line: string): Promise<Record<string, string>> {
  const { code, stdout, stderr } = await run(line);
  expect([code, stderr]).toEqual([0, expect.not.stringContaining('coffer: ')]);
  return JSON.parse(stdout) as Record<string, string>;
}

const redeem = async (code: string) =>
  await coffer.stranger.post('/v2/redemptions', { code: code.split('@')[0] });
const logIn = async (credential: Record<string, string>): Promise<number> =>
  (await logInWith(coffer, { id: credential['id'], secret: credential['secret'] })).status;

describe('coffer app create', () => {
  it('makes project, user, roles and credential, and prints a code in place of the secret', async () => {
    const line = 'app create web --project shop --allow GET:/v1/secrets/** --allow post:/v1/orders';
    expect((await run(line)).code).toBe(3);
    const app = await made(`${line} --create-project --expires 90d`);
    expect(app).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      name: 'web',
      project: 'shop',
      roles: 'observer',
      allow: expect.stringMatching(/^(?:GET:\/v1\/secrets\/\*\* ?|POST:\/v1\/orders ?){2}$/),
      state: 'waiting',
      expires_at: expect.any(String),
      user: expect.stringMatching(/^[0-9a-f]{32}$/),
      code: expect.stringMatching(/^cofr_[A-Za-z0-9_-]{49}@http:\/\/127\.0\.0\.1:\d+$/),
      code_expires_at: expect.any(String),
    });
    const days = (Date.parse(app['expires_at'] ?? '') - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(89.9);
    expect(days).toBeLessThan(90.1);
    const redeemed = await redeem(app['code'] ?? '');
    expect(redeemed.status).toBe(201);
    const reply = await logInWith(coffer, { id: app['id'], secret: redeemed.json.secret });
    expect(reply.json.token.user.name).toBe('app:web');
    expect(reply.json.token.application_credential.access_rules.length).toBe(2);
    expect((await made('app show web'))['state']).toBe('live');
  });

  it('leaves a live one alone, and replaces what nobody fetched, was revoked, or has ended', async () => {
    expect((await run('app create web --project shop')).code).toBe(6);
    const first = await made('app create second --project shop');
    const again = await made('app create second --project shop --role creator --role reader');
    expect(again['user']).toBe(first['user']);
    expect(again['roles']).toBe('creator,reader');
    expect((await redeem(first['code'] ?? '')).status).toBe(404);
    const secret = (await redeem(again['code'] ?? '')).json;
    expect(await logIn(secret)).toBe(201);
    expect((await run('app revoke second')).code).toBe(64);
    expect((await run('app revoke second --yes')).code).toBe(0);
    expect(await logIn(secret)).toBe(401);
    const third = await made('app create second --project shop --print-secret');
    expect(third['secret']).toMatch(/^cofa_/);
    expect([await logIn(third), await logIn(secret)]).toEqual([201, 401]);
  });

  it('prints the code or the secret alone with -o raw', async () => {
    expect((await run('app create raw1 --project shop -o raw')).stdout).toMatch(/^cofr_\S{49}@http\S+\n$/);
    const { stdout } = await run('app create raw2 --project shop -o raw --print-secret');
    expect(stdout).toMatch(/^cofa_\S{49}\n$/);
  });

  it('makes nothing where the users are those of another Keystone', async () => {
    const password = join(cwd, 'password');
    writeFileSync(password, 'canary', { mode: 0o600 });
    const env = {
      ...coffer.env,
      COFFER_KEYSTONE_URL: 'http://127.0.0.1:5000',
      COFFER_KEYSTONE_USER: 'coffer',
      COFFER_KEYSTONE_PASSWORD_FILE: password,
    };
    const asked = ['app', 'create', 'useless', '--project', 'shop'];
    const { code, stdout, stderr } = await runCoffer(asked, { cwd, env });
    expect([code, stdout]).toEqual([78, '']);
    expect(stderr).toMatch(/^coffer: .*COFFER_KEYSTONE_URL.*openstack application credential create\n$/);
    expect((await run('app show useless')).code).toBe(3);
  });

  it.each([
    ['app create', 64],
    ['app create a b --project shop', 64],
    ['app create x', 64],
    ['app create x --project shop --allow /v1/secrets', 64],
    ['app create x --project shop --allow GET:v1', 64],
    ['app create x --project shop --allow LOOK:/v1', 64],
    ['app create x --project shop --expires yesterday', 64],
    ['app create x --project shop --expires 2020-01-01', 64],
    ['app create x --project shop --expires 0d', 64],
    ['app create x --project shop --source 300.1.2.3', 2],
    ['app create x --project shop --source 192.0.2.1 --print-secret', 2],
    ['app create x --project shop --role nothing', 3],
    ['app create -x --project shop', 64],
    ['app create ä --project shop', 2],
    ['app show nothing', 3],
    ['app revoke nothing --yes', 3],
    ['app delete nothing --yes', 3],
    ['app list more', 64],
  ])('ends %s with %i', async (line, code) => {
    const ended = await run(line);
    expect([ended.code, ended.stdout]).toEqual([code, '']);
    expect(ended.stderr).toMatch(/^coffer: /);
  });
});

describe("an application's name", () => {
  const patch = async (client: Client, id: string, user: object): Promise<number> =>
    (await client.send('PATCH', `/identity/v3/users/${id}`, { body: { user } })).status;

  it('is given to no user, and the application gets no password', async () => {
    const { client } = await coffer.person(['admin'], 'shop');
    const other = await coffer.person(['member'], 'shop');
    for (const name of ['app:kept', ' APP:Kept', 'ａｐｐ：kept', 'issuer:kept']) {
      const reply = await client.post('/identity/v3/users', { user: { name, password: 'squatted' } });
      expect([name, reply.status]).toEqual([name, 400]);
      expect([name, await patch(client, other.userId, { name })]).toEqual([name, 400]);
    }
    const asked = { cwd, env: coffer.env, stdin: 'squatted' };
    const line = 'user create app:kept --project shop --role member';
    expect((await runCoffer(line.split(' '), asked)).code).toBe(2);
    expect((await run(`user set ${other.name} --name App:kept`)).code).toBe(2);
    const { user = '' } = await made('app create kept --project shop');
    expect(await patch(client, user, { password: 'squatted' })).toBe(400);
    expect(await patch(client, user, { name: 'app:kept', description: 'the web shop' })).toBe(200);
    const { rows } = await coffer.installation.db.query({
      text: `SELECT password_hash, description FROM users WHERE name = 'app:kept'`,
    });
    expect(rows).toEqual([{ password_hash: null, description: 'the web shop' }]);
  });

  it('makes no application of a user of before who has a password, and gives it no role', async () => {
    const parts = { ...coffer.installation, clock: { now: () => new Date() } };
    const { id } = await createUser(parts, createPasswordHasher(), 'app:squat', 'squatted', {
      isMachine: true,
    });
    const { code, stderr } = await run('app create squat --project shop --role creator');
    expect([code, stderr]).toEqual([6, expect.stringContaining('coffer user set')]);
    expect((await readUser(parts, id, null))?.assignments).toEqual([]);
    expect((await run('user set app:squat --name squat')).code).toBe(0);
    expect((await run('app create squat --project shop --role creator')).code).toBe(0);
  });
});

describe('coffer app list, show and delete', () => {
  it('show no secret', async () => {
    const { stdout } = await run('app list');
    const apps = JSON.parse(stdout) as Record<string, string>[];
    const names = apps.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['web', 'second']));
    expect(stdout + (await run('app show web')).stdout).not.toMatch(/cof[ar]_/);
  });

  it('deletes the application with its user, whose tokens end', async () => {
    const app = await made('app create gone --project shop --print-secret');
    const reply = await logInWith(coffer, { id: app['id'], secret: app['secret'] });
    const headers = { 'x-auth-token': String(reply.headers['x-subject-token']) };
    expect((await coffer.stranger.get('/v1/secrets', { headers })).status).toBe(200);
    expect((await run('app delete gone --yes')).code).toBe(0);
    expect(await logIn(app)).toBe(401);
    await expect
      .poll(async () => (await coffer.stranger.get('/v1/secrets', { headers })).status, { timeout: 5_000 })
      .toBe(401);
    const { rows } = await coffer.installation.db.query({
      text: `SELECT FROM users WHERE name = 'app:gone'`,
    });
    expect(rows).toEqual([]);
    expect((await run('app show gone')).code).toBe(3);
  });
});
