import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { updateRow } from '../../src/db/sealed.ts';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import {
  type FakeKeystone,
  startFakeKeystone,
  tokenBody,
} from '../identity/outside-keystone/fake-keystone.ts';
import { type Client, rawClient } from './raw-http.ts';

const PASSWORD = 'of-the-service-user';

let keystone: FakeKeystone;
let coffer: StartedCoffer;
let folder: string;
let lines: string[];
let count = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'coffer-keystone-'));
  writeFileSync(join(folder, 'password'), `${PASSWORD}\n`, { mode: 0o600 });
  keystone = await startFakeKeystone(PASSWORD);
  lines = [];
  coffer = await startCoffer({
    env: {
      COFFER_KEYSTONE_URL: `${keystone.url}/v3/`,
      COFFER_KEYSTONE_USER: 'coffer',
      COFFER_KEYSTONE_PASSWORD_FILE: join(folder, 'password'),
    },
    log: { write: (line: string) => lines.push(line) },
  });
});
afterEach(() => {
  keystone.answer = undefined;
  vi.useRealTimers();
});
afterAll(async () => {
  await coffer.stop();
  await keystone.stop();
  rmSync(folder, { recursive: true });
});

/** A token that Keystone knows, and one that no other test has used. */
function makeToken(change: object = {}, seconds?: number): { token: string; client: Client } {
  count += 1;
  const token = `gAAAAA-token_${count}`;
  keystone.tokens.set(token, tokenBody(change, seconds));
  return { token, client: rawClient(coffer.url, token) };
}

const listStatus = async (client: Client): Promise<number> => (await client.get('/v1/secrets')).status;
const store = async (client: Client) =>
  await client.post('/v1/secrets', { payload: 'abc', payload_content_type: 'text/plain' });

describe('with an outside Keystone', () => {
  it('its tokens store and fetch, with its roles in its project', async () => {
    const { client } = makeToken();
    const stored = await store(client);
    expect(stored.status, stored.text).toBe(201);
    const ref = String(stored.json.secret_ref);
    const payload = await client.get(`${ref}/payload`, { headers: { accept: 'text/plain' } });
    expect([payload.status, payload.text]).toEqual([200, 'abc']);
    expect((await client.get(ref)).json.creator_id).toBe('user-1');

    const { client: observer } = makeToken({ roles: [{ name: 'observer' }] });
    expect((await observer.get(ref)).status).toBe(200);
    expect((await store(observer)).status).toBe(403);
    const { client: stranger } = makeToken({
      project: { id: 'project-2' },
      user: { id: 'u2', domain: { id: 'd' } },
    });
    expect((await stranger.get(ref)).status).toBe(403);
    expect((await store(makeToken({ roles: [] }).client)).status).toBe(403);
  });

  it('a role counts in any case, as it does for Barbican', async () => {
    expect((await store(makeToken({ roles: [{ name: 'Creator' }] }).client)).status).toBe(201);
    expect(await listStatus(makeToken({ roles: [{ name: 'OBSERVER' }] }).client)).toBe(200);
    expect((await store(makeToken({ roles: [{ name: 'Observer' }] }).client)).status).toBe(403);
  });

  it('an order is worked on with the roles that it came with', async () => {
    const { client } = makeToken();
    const meta = { algorithm: 'aes', bit_length: 256 };
    const { order_ref: order } = (await client.post('/v1/orders', { type: 'key', meta })).json;
    const status = async () => (await client.get(order)).json.status;
    await expect.poll(status, { timeout: 20_000 }).toBe('ACTIVE');
  });

  it('a token without a project is none here', async () => {
    for (const change of [{}, { domain: { id: 'default' } }, { system: { all: true } }]) {
      expect(await listStatus(makeToken({ project: undefined, ...change }).client)).toBe(401);
    }
  });

  it('access rules of an application credential hold', async () => {
    const rule = { service: 'key-manager', method: 'GET', path: '/v1/secrets' };
    const { client } = makeToken({ application_credential: { id: 'app', access_rules: [rule] } });
    expect(await listStatus(client)).toBe(200);
    expect((await store(client)).status).toBe(403);
    expect(
      await listStatus(makeToken({ application_credential: { id: 'app', access_rules: [] } }).client),
    ).toBe(403);
  });

  it('Keystone is where a stranger is sent, and nothing under /identity is here', async () => {
    const reply = await coffer.stranger.get('/v1/secrets');
    expect([reply.status, reply.headers['www-authenticate']]).toEqual([
      401,
      `Keystone uri="${keystone.url}"`,
    ]);
    for (const path of [
      '/identity',
      '/identity/v3',
      '/identity/jwks',
      '/identity/v3/auth/tokens',
      '/identity/oauth2/token',
    ]) {
      expect((await coffer.stranger.get(path)).status).toBe(404);
      expect((await coffer.stranger.post(path, {})).status).toBe(404);
    }
    const { paths } = (await coffer.stranger.get('/openapi.json')).json;
    expect(Object.keys(paths).filter((path) => path.startsWith('/identity'))).toEqual([]);
  });

  it('a wrong token is 401, asked for once a time, and its spelling is looked at first', async () => {
    const before = keystone.validations;
    expect(await listStatus(rawClient(coffer.url, 'gAAAAA-unknown'))).toBe(401);
    expect(keystone.validations).toBe(before + 1);
    for (const token of ['a b', 'ä', 'x'.repeat(8_193), 'a\tb', 'a;b', '<>']) {
      const headers = { 'x-auth-token': Buffer.from(token).toString('latin1') };
      expect((await coffer.stranger.get('/v1/secrets', { headers })).status).toBe(401);
    }
    expect(keystone.validations).toBe(before + 1);
  });

  it('is asked once for many requests of one token', async () => {
    const { client } = makeToken();
    const before = keystone.validations;
    const statuses = await Promise.all(Array.from({ length: 40 }, async () => await listStatus(client)));
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(keystone.validations).toBe(before + 1);
  });

  it('is asked again after a minute, so that a revoked token ends', async () => {
    const { client, token } = makeToken();
    expect(await listStatus(client)).toBe(200);
    keystone.tokens.delete(token);
    expect(await listStatus(client)).toBe(200);
    const real = performance.now.bind(performance);
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => real() + 60_001);
    expect(await listStatus(client)).toBe(401);
    clock.mockRestore();
  });

  it('no token outlives its end, cached or not', async () => {
    expect(await listStatus(makeToken({}, -1).client)).toBe(401);
    const { client } = makeToken({}, 600);
    expect(await listStatus(client)).toBe(200);
    const before = keystone.validations;
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 540_000 });
    expect(await listStatus(client)).toBe(200);
    vi.setSystemTime(Date.now() + 60_000);
    expect(await listStatus(client)).toBe(401);
    expect(keystone.validations).toBe(before);
  });

  it('its own token that ended is replaced, once for all who wait', async () => {
    expect(await listStatus(makeToken().client)).toBe(200);
    keystone.own.clear();
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    const before = keystone.logins;
    const clients = Array.from({ length: 20 }, () => makeToken().client);
    expect(new Set(await Promise.all(clients.map(listStatus)))).toEqual(new Set([200]));
    expect(keystone.logins).toBe(before + 1);
  });
});

describe('a Keystone that is broken', () => {
  it('leaves those in who were, for their minute, and sends others away with the time to come back', async () => {
    const [known, other] = [makeToken(), makeToken()];
    expect(await listStatus(known.client)).toBe(200);
    await keystone.stop();
    expect(await listStatus(known.client)).toBe(200);
    const reply = await other.client.get('/v1/secrets');
    expect([reply.status, reply.headers['retry-after']]).toEqual([503, '5']);
    await keystone.start();
    expect(await listStatus(other.client)).toBe(200);
  });

  it.each<[string, number, string]>([
    ['an error', 500, '{}'],
    ['a refusal of the service user', 403, '{}'],
    ['no JSON', 200, '<html>'],
    ['nothing', 200, ''],
    ['a half', 200, '{"token": {"user"'],
    ['JSON of another kind', 200, '{"token": []}'],
    ['too much', 200, JSON.stringify({ ...tokenBody(), long: 'x'.repeat(1_100_000) })],
    ['a token without roles', 200, JSON.stringify(tokenBody({ roles: null }))],
    ['success of another kind', 204, ''],
  ])('with %s lets nobody in: 503', async (_what, status, body) => {
    keystone.answer = (_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    };
    const { client } = makeToken();
    expect(await listStatus(client)).toBe(503);
    keystone.answer = undefined;
    expect(await listStatus(client)).toBe(200);
  });

  it('that redirects is not followed', async () => {
    const other = await startFakeKeystone(PASSWORD);
    keystone.answer = (_request, response) => {
      response.writeHead(302, { location: `${other.url}/v3/auth/tokens` }).end();
    };
    expect(await listStatus(makeToken().client)).toBe(503);
    expect(other.validations).toBe(0);
    await other.stop();
  });

  it('that hangs up, or does not answer, is 503, and no more than a hundred wait for it', async () => {
    keystone.answer = (request) => request.socket.destroy();
    expect(await listStatus(makeToken().client)).toBe(503);
    // Nobody has waited in vain yet, so that nobody's place is free again.
    const [started, early] = [performance.now(), 3_000];
    const before = keystone.validations;
    let asked = 0;
    keystone.answer = () => {
      if (performance.now() - started < early) asked += 1;
    };
    const replies = await Promise.all(
      Array.from({ length: 130 }, async () => {
        const headers = { 'x-auth-token': makeToken().token };
        return (await fetch(`${coffer.url}/v1/secrets`, { headers })).status;
      }),
    );
    expect(new Set(replies)).toEqual(new Set([503]));
    expect(keystone.validations).toBeGreaterThan(before);
    expect(asked).toBeLessThanOrEqual(100);
    expect(performance.now() - started).toBeLessThan(30_000);
  });

  it('that takes the password no more is asked for a token every two seconds at most', async () => {
    keystone.own.clear();
    keystone.password = 'changed';
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    const before = keystone.logins;
    const started = performance.now();
    for (let index = 0; index < 20; index += 1) expect(await listStatus(makeToken().client)).toBe(503);
    expect(keystone.logins - before).toBeGreaterThan(0);
    expect(keystone.logins - before).toBeLessThanOrEqual(1 + (performance.now() - started) / 2_000);
    // The operator writes the new one into the file; the server is not restarted.
    writeFileSync(join(folder, 'password'), 'changed');
    await expect
      .poll(async () => await listStatus(makeToken().client), { timeout: 20_000, interval: 500 })
      .toBe(200);
  });

  it('leaves no password and no token in the log', () => {
    const log = lines.join('');
    expect(log).toContain('Keystone did not say whose a token is');
    for (const secret of [PASSWORD, 'gAAAAA', 'own-1']) expect(log).not.toContain(secret);
  });
});

describe('a project', () => {
  it('that was made here, is disabled here, or is being deleted here is none of Keystone’s', async () => {
    const local = await coffer.installation.db.query<{ id: string }>({
      text: `SELECT id FROM projects WHERE name = 'admin'`,
    });
    const { client } = makeToken({ project: { id: String(local.rows[0]?.id) }, roles: [{ name: 'admin' }] });
    expect(await listStatus(client)).toBe(401);

    const { client: own } = makeToken({ project: { id: 'project-3' } });
    expect((await store(own)).status).toBe(201);
    const { keyring, db } = coffer.installation;
    keyring.forgetProject();
    const row = (await keyring.findProject('project-3'))!;
    expect(row.origin).toBe('external');
    await updateRow(db, keyring, 'projects', row, { enabled: false });
    await expect.poll(async () => await listStatus(own), { timeout: 8_000 }).toBe(401);
    expect(await listStatus(makeToken({ project: { id: 'project-3' } }).client)).toBe(401);
  });
});

describe('a server that gives tokens itself', () => {
  it('gives none for projects of an outside Keystone, and takes none of its tokens', async () => {
    const env = { ...coffer.env };
    for (const name of ['URL', 'USER', 'PASSWORD_FILE']) delete env[`COFFER_KEYSTONE_${name}`];
    const beside = await startCoffer({ beside: { ...coffer, env } });
    const { token } = makeToken();
    expect(await listStatus(rawClient(beside.url, token))).toBe(401);
    const admin = await beside.person(['admin'], 'local-shop');
    expect(await listStatus(rawClient(beside.url, admin.token))).toBe(200);
    // And a token of this one is none over there.
    expect(await listStatus(rawClient(coffer.url, admin.token))).toBe(401);
    await beside.server.drain();
    await beside.installation.close();
  });
});

it('is not started with a password file that is open to everyone', () => {
  chmodSync(join(folder, 'password'), 0o644);
  return expect(startCoffer({ beside: coffer })).rejects.toThrow('is open to everyone');
});
