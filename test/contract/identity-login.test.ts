import { Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import type { Reply } from './raw-http.ts';

const TOKENS = '/identity/v3/auth/tokens';
const domain = { name: 'Default' };
const project = { project: { name: 'demo', domain } };
const lines: Record<string, unknown>[] = [];
let coffer: StartedCoffer;

beforeAll(async () => {
  const log = new Writable({
    write: (chunk, _encoding, done) => {
      for (const line of String(chunk).trim().split('\n')) lines.push(JSON.parse(line));
      done();
    },
  });
  coffer = await startCoffer({ log });
});
afterAll(async () => await coffer.stop());
beforeEach(() => {
  lines.length = 0;
});

/** Another address of this machine's loopback network: each is a source of its own. */
async function logIn(user: object, scope: unknown = project, from = '127.0.0.1'): Promise<Reply> {
  const auth = { identity: { methods: ['password'], password: { user } }, scope };
  return await coffer.stranger.post(TOKENS, { auth }, { localAddress: from });
}

const userOf = ({ name, password }: Person) => ({ name, password, domain });
const records = () => lines.filter(({ msg }) => msg === 'log-in').map(({ audit }) => audit);

async function failTenTimes({ name, userId }: Person, from?: string): Promise<void> {
  for (let round = 0; round < 10; round += 1) {
    const spelt = [{ name, domain }, { name: ` ${name.toUpperCase()} `, domain }, { id: userId }][round % 3];
    expect((await logIn({ ...spelt, password: 'wrong' }, project, from)).status).toBe(401);
  }
}

describe('after ten wrong passwords', () => {
  it('holds a user back from where they came, however the name is spelt, and nobody else', async () => {
    const held = await coffer.person(['creator'], 'demo');
    const other = await coffer.person(['creator'], 'demo');
    await failTenTimes(held);
    const refused = await logIn(userOf(held));
    expect([refused.status, refused.json.error.title]).toEqual([401, 'Unauthorized']);
    expect((await logIn(userOf(other))).status).toBe(201);
    expect((await held.client.get('/v1/secrets')).status).toBe(200);
    expect(records().at(-2)).toMatchObject({ outcome: 'refused', user: held.userId, held: true });
    await coffer.installation.db.query({
      text: `UPDATE password_failures SET last_failure = last_failure - interval '61 seconds' WHERE user_id = $1`,
      values: [held.userId],
    });
    expect((await logIn(userOf(held))).status).toBe(201);
  });

  it("lets the user's application credentials in", async () => {
    const held = await coffer.person(['creator'], 'demo');
    const address = `/identity/v3/users/${held.userId}/application_credentials`;
    const made = await held.client.post(address, { application_credential: { name: 'shop' } });
    const { id, secret } = made.json.application_credential;
    await failTenTimes(held);
    const enter = async (credential: object) => {
      const identity = { methods: ['application_credential'], application_credential: credential };
      return (await coffer.stranger.post(TOKENS, { auth: { identity } })).status;
    };
    // Wrong secrets hold nobody back either: they cannot be guessed.
    for (let round = 0; round < 20; round += 1) expect(await enter({ id, secret: 'wrong' })).toBe(401);
    expect(await enter({ id, secret })).toBe(201);
    expect(await enter({ name: 'shop', user: { name: held.name, domain }, secret })).toBe(201);
    expect((await logIn(userOf(held))).status).toBe(401);
  });

  it('lets the user in from elsewhere all the while', async () => {
    const attacked = await coffer.person(['creator'], 'demo');
    await failTenTimes(attacked, '127.0.0.66');
    expect((await logIn(userOf(attacked), project, '127.0.0.66')).status).toBe(401);
    expect((await logIn(userOf(attacked), project, '127.0.0.2')).status).toBe(201);
    // Who logs in elsewhere does not set the attacker free.
    expect((await logIn(userOf(attacked), project, '127.0.0.66')).status).toBe(401);
  });
});

describe('log-ins that wait', () => {
  it('take turns by address, so that a flood from one keeps nobody else out or waiting', async () => {
    const person = await coffer.person(['creator'], 'demo');
    const identity = { methods: ['password'], password: { user: { name: 'nobody', password: 'x', domain } } };
    const body = JSON.stringify({ auth: { identity } });
    const headers = { 'content-type': 'application/json' };
    let answered = 0;
    const guess = async () => {
      const reply = await fetch(`${coffer.url}${TOKENS}`, { method: 'POST', headers, body });
      if (reply.status === 401) answered += 1;
      return reply;
    };
    const flood = Array.from({ length: 64 }, guess);
    const turnAway = async (one: Promise<Response>) => {
      const { status, headers: answer } = await one;
      expect([status, answer.get('retry-after')]).toEqual([503, '2']);
    };
    // From then on the queue of that address is full.
    await Promise.any(flood.map(turnAway));
    answered = 0;
    expect((await logIn(userOf(person), project, '127.0.0.2')).status).toBe(201);
    expect(answered).toBeLessThan(10);
    const statuses = (await Promise.all(flood)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([401, 503]));
  });
});

describe('a record of a log-in', () => {
  it('says who, how, from where and in which request, and the token that was given', async () => {
    const person = await coffer.person(['creator'], 'demo');
    lines.length = 0;
    const reply = await logIn(userOf(person), project, '127.0.0.9');
    expect(records()).toEqual([
      {
        action: 'identity:log_in',
        outcome: 'allowed',
        user: person.userId,
        method: 'password',
        source: '127.0.0.9',
        project: person.projectId,
        token: reply.json.token.audit_ids[0],
        request: reply.headers['x-openstack-request-id'],
      },
    ]);
  });

  it('names who was resolved, and nothing that was typed', async () => {
    const person = await coffer.person(['creator'], 'demo');
    lines.length = 0;
    await logIn({ name: 'my-pass-phrase', password: 'another-phrase', domain });
    await logIn({ id: 'my-pass-phrase', password: 'another-phrase' });
    await logIn({ ...userOf(person), password: 'another-phrase' });
    await logIn(userOf(person), { project: { name: 'no-such', domain } });
    const identity = { methods: ['token'], token: { id: 'my-pass-phrase' } };
    await coffer.stranger.post(TOKENS, { auth: { identity } });
    const refused = { outcome: 'refused', project: null, token: null };
    const password = { ...refused, method: 'password' };
    expect(records()).toMatchObject([
      { ...password, user: 'unknown' },
      { ...password, user: 'unknown' },
      { ...password, user: person.userId },
      { ...password, user: person.userId },
      { ...refused, method: 'token', user: 'unknown' },
    ]);
    expect(JSON.stringify(lines)).not.toMatch(/phrase|no-such/);
    expect(JSON.stringify(lines)).not.toContain(person.name);
  });
});
