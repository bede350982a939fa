import { createPublicKey, verify } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertRow, sealRow } from '../../src/db/sealed.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import type { Reply } from './raw-http.ts';

const TOKENS = '/identity/v3/auth/tokens';
const REFUSED = {
  error: {
    code: 401,
    title: 'Unauthorized',
    message: 'The request you have made requires authentication.',
  },
};
let coffer: StartedCoffer;
let creator: Person;
let admin: Person;

beforeAll(async () => {
  coffer = await startCoffer();
  creator = await coffer.person(['creator', 'member'], 'demo');
  admin = await coffer.person(['admin'], 'demo');
});
afterAll(async () => await coffer.stop());

const domain = { name: 'Default' };
const project = { project: { name: 'demo', domain } };
const userOf = ({ name, password }: Person) => ({ name, password, domain });

async function logIn(user: object, scope?: unknown, query = ''): Promise<Reply> {
  const identity = { methods: ['password'], password: { user } };
  const auth = { identity, ...(scope === undefined ? {} : { scope }) };
  return await coffer.stranger.post(`${TOKENS}${query}`, { auth });
}

async function rescope(token: string, scope?: unknown): Promise<Reply> {
  const auth = { identity: { methods: ['token'], token: { id: token } }, scope };
  return await coffer.stranger.post(TOKENS, { auth }, { headers: { 'x-auth-token': token } });
}

const about = (subject: string) => ({ headers: { 'x-subject-token': subject } });
const tokenOf = (reply: Reply): string => String(reply.headers['x-subject-token']);

describe('discovery', () => {
  it.each(['/identity', '/identity/'])('%s lists the version, without a token', async (path) => {
    const reply = await coffer.stranger.get(path);
    expect(reply.status).toBe(300);
    expect(reply.headers.location).toBe(`${coffer.url}/identity/v3/`);
    const [version] = reply.json.versions.values;
    expect(version).toMatchObject({ id: 'v3.14', status: 'stable' });
    expect(version.links).toEqual([{ rel: 'self', href: `${coffer.url}/identity/v3/` }]);
  });

  it.each(['/identity/v3', '/identity/v3/'])('%s describes the version, without a token', async (path) => {
    const reply = await coffer.stranger.get(path, { headers: { accept: 'application/json' } });
    expect([reply.status, reply.json.version.id]).toEqual([200, 'v3.14']);
    expect(reply.headers['content-type']).toBe('application/json');
  });
});

describe('a log-in by password', () => {
  it('answers 201 with the token in a header and what it is in the body', async () => {
    const reply = await logIn(userOf(creator), project);
    expect(reply.status).toBe(201);
    expect(reply.headers['cache-control']).toBe('no-store');
    expect(tokenOf(reply).length).toBeLessThanOrEqual(4_096);
    expect(reply.text).not.toContain(tokenOf(reply));
    const { token } = reply.json;
    expect(token).toMatchObject({
      methods: ['password'],
      user: {
        id: creator.userId,
        name: creator.name,
        domain: { id: 'default', name: 'Default' },
        password_expires_at: null,
      },
      project: { id: creator.projectId, name: 'demo', domain: { id: 'default', name: 'Default' } },
      is_domain: false,
    });
    expect(token.audit_ids).toEqual([expect.stringMatching(/^[\w-]{22}$/)]);
    expect(token.issued_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(Date.parse(token.expires_at) - Date.parse(token.issued_at)).toBe(3_600_000);
  });

  it('expands the roles that roles imply, each with an id', async () => {
    const { roles } = (await logIn(userOf(creator), project)).json.token;
    expect(roles.map(({ name }: { name: string }) => name).sort()).toEqual(['creator', 'member', 'reader']);
    for (const { id } of roles) expect(id).toMatch(/^[0-9a-f]{32}$/);
  });

  it('gives a catalog whose key manager has no version, in every interface, with both names of the region', async () => {
    const { catalog } = (await logIn(userOf(creator), project)).json.token;
    const urls = catalog.map(({ type, endpoints }: { type: string; endpoints: Record<string, string>[] }) => [
      type,
      endpoints.map((one) => [one.interface, one.region, one.region_id, one.url]),
    ]);
    const at = (url: string) =>
      ['public', 'internal', 'admin'].map((kind) => [kind, 'RegionOne', 'RegionOne', url]);
    expect(urls).toEqual([
      ['identity', at(`${coffer.url}/identity/v3`)],
      ['key-manager', at(coffer.url)],
    ]);
    const without = await logIn(userOf(creator), project, '?nocatalog');
    expect(without.json.token).not.toHaveProperty('catalog');
  });

  it('takes user, project and domain by id or name', async () => {
    const user = { id: creator.userId, password: creator.password };
    const byId = { project: { id: creator.projectId } };
    const byDomainId = { project: { name: 'demo', domain: { id: 'default' } } };
    for (const scope of [byId, byDomainId, project]) expect((await logIn(user, scope)).status).toBe(201);
    const shouting = {
      ...userOf(creator),
      name: ` ${creator.name.toUpperCase()}`,
      domain: { id: 'default' },
    };
    expect((await logIn(shouting, project)).json.token.user.name).toBe(creator.name);
  });

  it.each([undefined, 'unscoped', { unscoped: {} }])('is unscoped for the scope %j', async (scope) => {
    const { token } = (await logIn(userOf(creator), scope)).json;
    for (const absent of ['project', 'roles', 'catalog']) expect(token).not.toHaveProperty(absent);
  });

  it.each(['x-auth-token', 'authorization'])('gives a token for %s', async (header) => {
    const token = tokenOf(await logIn(userOf(creator), project));
    const value = header === 'authorization' ? `Bearer ${token}` : token;
    const reply = await coffer.stranger.get('/v1/secrets', { headers: { [header]: value } });
    expect(reply.status).toBe(200);
  });

  it('answers the same to everybody who may not', async () => {
    const stranger = { name: 'nobody', password: 'x', domain };
    const wrong = { ...userOf(creator), password: 'wrong' };
    const demo2 = await coffer.person(['creator'], 'other');
    const attempts = [
      logIn(stranger, project),
      logIn(wrong, project),
      logIn({ ...userOf(creator), password: '' }, project),
      logIn({ ...userOf(creator), password: 'x'.repeat(20_000) }, project),
      logIn({ id: 'no-such-id', password: 'x' }, project),
      logIn({ ...userOf(creator), domain: { name: 'Other' } }, project),
      logIn(userOf(creator), { project: { name: 'no-such-project', domain } }),
      logIn(userOf(creator), { project: { id: 'system' } }),
      logIn(userOf(creator), { project: { id: '', name: 'x', domain } }),
      logIn(userOf(creator), { project: { id: demo2.projectId } }),
      logIn(userOf(creator), { system: { all: true } }),
      logIn(userOf(creator), { domain: { id: 'default' } }),
    ];
    for (const reply of await Promise.all(attempts)) {
      expect([reply.status, reply.json]).toEqual([401, REFUSED]);
      expect(reply.headers['www-authenticate']).toBe(`Keystone uri="${coffer.url}/identity"`);
      expect(reply.headers).not.toHaveProperty('x-subject-token');
    }
  });

  it('answers malformed requests with 400, and methods that are not there with 401', async () => {
    const { stranger } = coffer;
    for (const body of ['{', '[]', 'null', '{"auth":{}}', '{"auth":{"identity":{"methods":["password"]}}}']) {
      const reply = await stranger.post(TOKENS, body, { headers: { 'content-type': 'application/json' } });
      expect([reply.status, reply.json.error.code, reply.json.error.title]).toEqual([
        400,
        400,
        'Bad Request',
      ]);
    }
    const other = { auth: { identity: { methods: ['totp'], application_credential: {} } } };
    expect((await stranger.post(TOKENS, other)).status).toBe(401);
    const text = await stranger.post(TOKENS, '{}', { headers: { 'content-type': 'text/plain' } });
    expect(text.status).toBe(400);
    const twice = '{"auth":{"identity":{"methods":["password"],"methods":["token"]}}}';
    const reply = await stranger.post(TOKENS, twice, { headers: { 'content-type': 'application/json' } });
    expect(reply.status).toBe(400);
  });
});

describe('a log-in by token', () => {
  it('moves to a scope, and never lives longer', async () => {
    const first = await logIn(userOf(creator), 'unscoped');
    const second = await rescope(tokenOf(first), project);
    expect(second.status).toBe(201);
    const { token } = second.json;
    expect(token.project.name).toBe('demo');
    expect(token.methods.sort()).toEqual(['password', 'token']);
    expect(token.expires_at).toBe(first.json.token.expires_at);
    expect(token.audit_ids).toEqual([expect.any(String), first.json.token.audit_ids[0]]);
    const third = await rescope(tokenOf(second), 'unscoped');
    expect(third.json.token.expires_at).toBe(first.json.token.expires_at);
    expect(third.json.token.audit_ids[1]).toBe(first.json.token.audit_ids[0]);
  });

  it('gives no scope that its user has no role in, and nothing for what is no token', async () => {
    const { projectId } = await coffer.person(['creator'], 'elsewhere');
    const { token } = creator;
    expect((await rescope(token, { project: { id: projectId } })).status).toBe(401);
    for (const bad of ['', 'x', `${token}x`, token.slice(1)]) {
      const auth = { identity: { methods: ['token'], token: { id: bad } }, scope: project };
      const reply = await coffer.stranger.post(TOKENS, { auth });
      expect([reply.status, reply.json]).toEqual([401, REFUSED]);
    }
  });
});

describe('a token', () => {
  it('is described to its user, as at log-in', async () => {
    const issued = await logIn(userOf(creator), project);
    const token = tokenOf(issued);
    const reply = await creator.client.get(TOKENS, about(token));
    expect([reply.status, reply.headers['x-subject-token']]).toEqual([200, token]);
    expect(reply.json).toEqual(issued.json);
    const without = await creator.client.get(`${TOKENS}?nocatalog`, about(token));
    expect(without.json.token).not.toHaveProperty('catalog');
    const head = await creator.client.send('HEAD', TOKENS, about(token));
    expect([head.status, head.text, head.headers['x-subject-token']]).toEqual([200, '', token]);
  });

  it('is described to an administrator, and to no other user', async () => {
    const other = await coffer.person(['creator', 'member', 'manager'], 'demo');
    expect((await admin.client.get(TOKENS, about(creator.token))).status).toBe(200);
    for (const method of ['GET', 'HEAD', 'DELETE']) {
      expect((await other.client.send(method, TOKENS, about(creator.token))).status).toBe(403);
    }
    expect((await creator.client.get('/v1/secrets')).status).toBe(200);
  });

  it('that is not one is 404 as a subject, and 401 as whose request it is', async () => {
    for (const bad of ['x', `${creator.token}x`, creator.token.slice(0, -1), 'a.b.c']) {
      for (const method of ['GET', 'HEAD', 'DELETE']) {
        expect((await creator.client.send(method, TOKENS, about(bad))).status).toBe(404);
        const asked = { headers: { 'x-auth-token': bad, 'x-subject-token': creator.token } };
        expect((await coffer.stranger.send(method, TOKENS, asked)).status).toBe(401);
      }
    }
    expect((await creator.client.get(TOKENS)).status).toBe(404);
    expect((await coffer.stranger.get(TOKENS, about(creator.token))).status).toBe(401);
  });

  it('is revoked at once, once', async () => {
    const token = tokenOf(await logIn(userOf(creator), project));
    const own = { headers: { 'x-auth-token': token } };
    expect((await coffer.stranger.get('/v1/secrets', own)).status).toBe(200);
    const revoked = await coffer.stranger.delete(TOKENS, {
      headers: { 'x-auth-token': token, 'x-subject-token': token },
    });
    expect([revoked.status, revoked.text]).toEqual([204, '']);
    expect((await coffer.stranger.get('/v1/secrets', own)).status).toBe(401);
    expect((await creator.client.get(TOKENS, about(token))).status).toBe(404);
    expect((await creator.client.delete(TOKENS, about(token))).status).toBe(404);
    expect((await rescope(token, project)).status).toBe(401);
    expect((await creator.client.get('/v1/secrets')).status).toBe(200);
  });

  it('takes with it what came of it', async () => {
    const first = tokenOf(await logIn(userOf(creator), 'unscoped'));
    const second = tokenOf(await rescope(first, project));
    const other = tokenOf(await logIn(userOf(creator), project));
    const with_ = (token: string) => ({ headers: { 'x-auth-token': token } });
    expect((await creator.client.delete(TOKENS, about(first))).status).toBe(204);
    expect((await coffer.stranger.get('/v1/secrets', with_(second))).status).toBe(401);
    expect((await coffer.stranger.get('/v1/secrets', with_(other))).status).toBe(200);
  });

  it('that is the thousandth to be revoked of a user takes all of the user along', async () => {
    const { client, userId, ...user } = await coffer.person(['creator'], 'demo');
    const { db, keyring } = coffer.installation;
    const now = new Date();
    const common = { user_id: userId, created: now, updated: now, revision: 1n, epoch: 1n };
    const expires = new Date(now.getTime() + 3_600_000);
    const rows = Array.from({ length: 999 }, async (_, n) => {
      const row = { ...common, id: `${userId}-${n}`, expires };
      await insertRow(db, 'revoked_tokens', await sealRow(keyring, 'revoked_tokens', row));
    });
    await Promise.all(rows);
    const [first, second, third] = await Promise.all(
      Array.from({ length: 3 }, async () => await coffer.logIn(user.name, user.password, 'demo')),
    );
    const statusOf = async (token = '') =>
      (await coffer.stranger.get('/v1/secrets', { headers: { 'x-auth-token': token } })).status;
    expect((await client.delete(TOKENS, about(first ?? ''))).status).toBe(204);
    expect([await statusOf(first), await statusOf(third)]).toEqual([401, 200]);
    expect((await client.delete(TOKENS, about(second ?? ''))).status).toBe(204);
    expect([await statusOf(second), await statusOf(third)]).toEqual([401, 401]);
    const anew = await coffer.logIn(user.name, user.password, 'demo');
    expect(await statusOf(anew)).toBe(200);
    const { rows: counted } = await db.query<{ count: bigint }>({
      text: 'SELECT count(*) FROM revoked_tokens WHERE user_id = $1',
      values: [userId],
    });
    expect(counted[0]?.count).toBe(1_000n);
  });

  it('without a project is none to the key manager', async () => {
    const token = tokenOf(await logIn(userOf(creator), 'unscoped'));
    const reply = await coffer.stranger.get('/v1/secrets', { headers: { 'x-auth-token': token } });
    expect(reply.status).toBe(401);
    const asked = { headers: { 'x-auth-token': token } };
    expect((await coffer.stranger.get('/identity/v3/auth/projects', asked)).status).toBe(200);
    expect((await coffer.stranger.get('/identity/v3/auth/catalog', asked)).status).toBe(403);
  });

  it('verifies with the published keys, which hold nothing private', async () => {
    const { keys } = (await coffer.stranger.get('/identity/jwks')).json;
    const [header = '', payload = '', signature = ''] = creator.token.split('.');
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString());
    const jwk = keys.find((key: { kid: string }) => key.kid === kid);
    expect(Object.keys(jwk).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x']);
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const signed = Buffer.from(`${header}.${payload}`);
    expect(verify(null, signed, key, Buffer.from(signature, 'base64url'))).toBe(true);
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    expect(claims).not.toHaveProperty('roles');
  });
});

it('lists the projects that a user has a role in', async () => {
  const reply = await creator.client.get('/identity/v3/auth/projects');
  expect(reply.json.projects).toMatchObject([{ id: creator.projectId, name: 'demo', domain_id: 'default' }]);
});

it('gives the catalog of a scoped token', async () => {
  const { catalog } = (await creator.client.get('/identity/v3/auth/catalog')).json;
  expect(catalog).toEqual((await logIn(userOf(creator), project)).json.token.catalog);
});

it('believes no header about who asks', async () => {
  const headers = {
    'x-user-id': admin.userId,
    'x-roles': 'admin',
    'x-project-id': admin.projectId,
    'x-identity-status': 'Confirmed',
    'x-is-admin-project': 'True',
  };
  expect((await coffer.stranger.get('/v1/secrets', { headers })).status).toBe(401);
  const other = await coffer.person(['observer'], 'demo');
  const reply = await other.client.post('/v1/secrets', { name: 'x' }, { headers });
  expect(reply.status).toBe(403);
});

it('sends log-ins away when too many wait, with the time to come back', async () => {
  const identity = { methods: ['password'], password: { user: { name: 'nobody', password: 'x', domain } } };
  const request = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity } }),
  };
  const replies = await Promise.all(
    Array.from({ length: 60 }, async () => await fetch(`${coffer.url}${TOKENS}`, request)),
  );
  const statuses = new Set(replies.map(({ status }) => status));
  expect(statuses).toEqual(new Set([401, 503]));
  for (const reply of replies.filter(({ status }) => status === 503)) {
    expect(reply.headers.get('retry-after')).toBe('2');
  }
});
