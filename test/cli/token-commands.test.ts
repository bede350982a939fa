import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { within } from '../harness/within.ts';
import { type Ended, runCoffer } from './run-coffer.ts';

let coffer: StartedCoffer;
let person: Person;
let home: string;

beforeAll(async () => {
  coffer = await startCoffer();
  person = await coffer.person(['creator'], 'demo');
  home = mkdtempSync(join(tmpdir(), 'coffer-tokens-'));
});
afterAll(async () => {
  await coffer.stop();
  rmSync(home, { recursive: true });
});

const run = async (line: string, env: Record<string, string> = {}): Promise<Ended> =>
  await runCoffer(line.split(' '), { env: { ...coffer.env, XDG_STATE_HOME: home, ...env } });

const credentials = () => ({
  OS_AUTH_URL: `${coffer.url}/identity/v3`,
  OS_USERNAME: person.name,
  OS_PASSWORD: person.password,
  OS_PROJECT_NAME: 'demo',
});

const statusOf = async (token: string): Promise<number> =>
  (await coffer.stranger.get('/v1/secrets', { headers: { 'x-auth-token': token.trim() } })).status;

const expectEnded = async (token: string): Promise<void> =>
  await within(5_000, async () => expect(await statusOf(token)).toBe(401));

/** The line of a revocation, as a server's log has it. */
const auditOf = ({ stderr }: Ended): unknown => JSON.parse(stderr).audit;
const onRecord = {
  action: 'identity:revoke_token',
  outcome: 'allowed',
  user: 'operator',
  account: process.getuid?.(),
};

describe('coffer token', () => {
  it('issues one for another program', async () => {
    const { code, stdout } = await run('token issue', credentials());
    expect([code, await statusOf(stdout)]).toEqual([0, 200]);
  });

  it('shows whose it is', async () => {
    const { code, stdout } = await run('token show -o json', { ...credentials(), OS_TOKEN: person.token });
    expect(code).toBe(0);
    const shown = JSON.parse(stdout);
    expect(shown).toMatchObject({
      user: person.name,
      user_id: person.userId,
      scope: 'project',
      project: 'demo',
      roles: 'creator',
      methods: 'password,token',
    });
    expect(Date.parse(shown.expires_at) - Date.parse(shown.issued_at)).toBeLessThanOrEqual(3_600_000);
  });

  it('revokes the one of the last login, and forgets it', async () => {
    expect((await run('login', credentials())).code).toBe(0);
    const { stdout: token } = await run('token issue');
    expect(await statusOf(token)).toBe(200);
    const { code, stderr } = await run('token revoke');
    expect([code, stderr]).toEqual([0, '']);
    expect(await statusOf(token)).toBe(401);
    expect(existsSync(join(home, 'coffer', 'token'))).toBe(false);
    expect((await run('token revoke')).code).toBe(4);
  });

  it('revokes all of a user, of a project and of an application credential', async () => {
    const logIn = async () => await coffer.logIn(person.name, person.password, 'demo');
    for (const [flags, subject] of [
      [`--user ${person.name}`, person.userId],
      ['--project demo', person.projectId],
    ]) {
      const [one, two] = [await logIn(), await logIn()];
      const ended = await run(`token revoke ${flags} --yes`);
      expect(ended.code).toBe(0);
      expect(auditOf(ended)).toEqual({ ...onRecord, subject });
      for (const token of [one, two]) await expectEnded(token);
      expect(await statusOf(await logIn())).toBe(200);
    }
    const own = { headers: { 'x-auth-token': await logIn() } };
    const address = `/identity/v3/users/${person.userId}/application_credentials`;
    const asked = { application_credential: { name: 'shop' } };
    const { id, secret } = (await coffer.stranger.post(address, asked, own)).json.application_credential;
    const identity = { methods: ['application_credential'], application_credential: { id, secret } };
    const enter = async () => {
      const reply = await coffer.stranger.post('/identity/v3/auth/tokens', { auth: { identity } });
      return String(reply.headers['x-subject-token']);
    };
    const [first, second] = [await enter(), await enter()];
    const others = await logIn();
    expect(await statusOf(second)).toBe(200);
    const ended = await run(`token revoke --app ${id} --yes`);
    expect([ended.code, auditOf(ended)]).toEqual([0, { ...onRecord, subject: id }]);
    for (const token of [first, second]) await expectEnded(token);
    expect([await statusOf(await enter()), await statusOf(others)]).toEqual([200, 200]);
  });

  it('ends nothing without being sure, and no more than one thing', async () => {
    const token = await coffer.logIn(person.name, person.password, 'demo');
    expect((await run(`token revoke --user ${person.name}`)).code).toBe(64);
    expect((await run(`token revoke --user ${person.name} --project demo --yes`)).code).toBe(64);
    expect((await run(`token revoke ${token}`)).code).toBe(64);
    for (const flag of ['user', 'project', 'app']) {
      const { code, stderr } = await run(`token revoke --${flag} nobody-of-that-name --yes`);
      expect([code, stderr]).toEqual([3, expect.not.stringContaining('audit')]);
    }
    expect(await statusOf(token)).toBe(200);
  });
});

describe('coffer signing-key', () => {
  const list = async (): Promise<{ id: string; state: string }[]> =>
    JSON.parse((await run('signing-key list -o json')).stdout);

  it('lists the keys, and publishes the next one before it signs', async () => {
    const before = await list();
    expect(before.map(({ state }) => state)).toEqual(['signs']);
    const rotated = await run('signing-key rotate -o json');
    const made = JSON.parse(rotated.stdout);
    expect([rotated.code, made.state]).toEqual([0, 'published']);
    expect((await list()).map(({ id, state }) => [id, state])).toEqual([
      [before[0]?.id, 'signs'],
      [made.id, 'published'],
    ]);
    expect(await statusOf(await coffer.logIn(person.name, person.password, 'demo'))).toBe(200);
  });

  it('ends every token at once for a key that others have', async () => {
    const token = await coffer.logIn(person.name, person.password, 'demo');
    expect((await run('signing-key rotate --now')).code).toBe(64);
    expect(await statusOf(token)).toBe(200);
    expect((await run('signing-key rotate --now --yes')).code).toBe(0);
    await expectEnded(token);
    expect(await statusOf(await coffer.logIn(person.name, person.password, 'demo'))).toBe(200);
    expect((await list()).map(({ state }) => state)).toEqual(['retired', 'retired', 'signs']);
  });
});
