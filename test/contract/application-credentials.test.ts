import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import {
  clientWith,
  createCredential,
  credentialsOf as listOf,
  logInWith,
  makeCredential,
} from './applications.ts';
import { rawClient } from './raw-http.ts';

const TOKENS = '/identity/v3/auth/tokens';
let coffer: StartedCoffer;
let owner: Person;
let other: Person;
let admin: Person;

beforeAll(async () => {
  coffer = await startCoffer();
  owner = await coffer.person(['creator', 'member'], 'demo');
  other = await coffer.person(['creator'], 'demo');
  admin = await coffer.person(['admin'], 'demo');
});
afterAll(async () => await coffer.stop());

const ago = (milliseconds: number) => new Date(Date.now() - milliseconds).toISOString();

const create = async (fields: object = {}, by = owner) => await createCredential(by, fields);
const make = async (fields: object = {}, by = owner) => await makeCredential(by, fields);
const logIn = async (credential: object, more?: object) => await logInWith(coffer, credential, more);
const clientOf = async (credential: object) => await clientWith(coffer, credential);

describe('making one', () => {
  it('gives a secret of 256 bits once, with a prefix that scanners know', async () => {
    const reply = await create({ name: 'first', description: 'for backups' });
    expect(reply.status).toBe(201);
    const { secret, ...credential } = reply.json.application_credential;
    expect(secret).toMatch(/^cofa_[A-Za-z0-9_-]{49}$/);
    expect(credential).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      name: 'first',
      description: 'for backups',
      user_id: owner.userId,
      project_id: owner.projectId,
      system: null,
      expires_at: null,
      unrestricted: false,
      roles: expect.any(Array),
      links: { self: `${coffer.url}${listOf(owner)}/${credential.id}` },
    });
    const shown = await owner.client.get(`${listOf(owner)}/${credential.id}`);
    expect(shown.json).toEqual({ application_credential: credential });
    const list = await owner.client.get(`${listOf(owner)}?name=first`);
    expect(list.json.application_credentials).toEqual([credential]);
    expect(list.text + shown.text).not.toContain(secret);
  });

  it('gives all the roles of the token, or those asked for with what they imply', async () => {
    const names = ({ roles }: { roles: { name: string }[] }) => roles.map(({ name }) => name).sort();
    expect(names((await make()) as never)).toEqual(['creator', 'member', 'reader']);
    expect(names((await make({ roles: [{ name: 'member' }] })) as never)).toEqual(['member', 'reader']);
    const [{ id }] = ((await make({ roles: [{ name: 'creator' }] })) as never as { roles: [{ id: string }] })
      .roles;
    expect(names((await make({ roles: [{ id }] })) as never)).toEqual(['creator']);
  });

  it.each([[[{ name: 'admin' }]], [[{ id: 'f'.repeat(32) }]], [[{ name: 'no such role' }]]])(
    'gives no role that the token has not: %j',
    async (roles) => {
      const reply = await create({ roles });
      expect([reply.status, reply.json.error.code]).toEqual([400, 400]);
      expect(reply.json.error.message).toContain('unassigned role');
    },
  );

  it('takes a secret of one’s own that is long enough', async () => {
    const secret = 'x4'.repeat(16);
    const { id, secret: given } = await make({ secret });
    expect(given).toBe(secret);
    expect((await logIn({ id, secret })).status).toBe(201);
    expect((await create({ secret: 'y'.repeat(31) })).status).toBe(400);
    expect((await create({ secret: null })).status).toBe(201);
  });

  it('is for oneself alone, in a project', async () => {
    const body = { application_credential: { name: 'x' } };
    for (const by of [other, admin]) {
      expect((await by.client.post(listOf(owner), body)).status).toBe(403);
    }
    const unscoped = rawClient(coffer.url, await coffer.logIn(owner.name, owner.password));
    expect((await unscoped.post(listOf(owner), body)).status).toBe(403);
    expect((await coffer.stranger.post(listOf(owner), body)).status).toBe(401);
  });

  it('refuses a name that the user has given already, in any case, and nobody else’s', async () => {
    const { name } = await make();
    expect((await create({ name })).status).toBe(409);
    expect((await create({ name: name.toUpperCase() })).status).toBe(409);
    expect((await create({ name }, other)).status).toBe(201);
  });

  it.each([
    [{ name: '' }],
    [{ name: null }],
    [{ name: 'x'.repeat(256) }],
    [{ name: 'a\0b' }],
    [{ description: 5 }],
    [{ secret: 5 }],
    [{ secret: `cofa_${'A'.repeat(49)}` }],
    [{ roles: {} }],
    [{ roles: ['creator'] }],
    [{ roles: [{}] }],
    [{ roles: [{ id: 'a', name: 'b' }] }],
    [{ expires_at: 'next tuesday' }],
    [{ expires_at: '2999-02-30T00:00:00Z' }],
    [{ expires_at: '2999-13-01T00:00:00Z' }],
    [{ expires_at: 5 }],
    [{ expires_at: ago(1000) }],
    [{ unrestricted: 'true' }],
    [{ access_rules: null }],
    [{ access_rules: {} }],
    [{ access_rules: [] }],
    [{ access_rules: [{}] }],
    [{ access_rules: [{ service: 'key-manager', method: 'get', path: '/v1' }] }],
    [{ access_rules: [{ service: 'key-manager', method: 'GET', path: 'v1' }] }],
    [{ access_rules: [{ service: 'key manager', method: 'GET', path: '/v1' }] }],
    [{ access_rules: [{ service: 'key-manager', method: 'GET', path: `/${'x'.repeat(225)}` }] }],
    [{ access_rules: [{ id: 5 }] }],
    [{ enabled: true }],
  ])('refuses %j with 400', async (fields) => {
    const reply = await create(fields);
    expect([reply.status, reply.json?.error?.title]).toEqual([400, 'Bad Request']);
  });

  it.each([undefined, 5, [], {}, { application_credential: [] }, { application_credential: {} }])(
    'refuses a body of %j with 400',
    async (body) => {
      expect((await owner.client.post(listOf(owner), body)).status).toBe(400);
    },
  );
});

describe('logging in', () => {
  it('works by id, by name and user id, and by name and user name', async () => {
    const { id, name, secret } = await make();
    const domain = { name: 'Default' };
    for (const credential of [
      { id, secret },
      { name, secret, user: { id: owner.userId } },
      { name: name.toUpperCase(), secret, user: { name: owner.name, domain } },
    ]) {
      const reply = await logIn(credential);
      expect(reply.status, reply.text).toBe(201);
      const { token } = reply.json;
      expect(token).toMatchObject({
        methods: ['application_credential'],
        user: { id: owner.userId },
        project: { id: owner.projectId },
        application_credential: { id, name, restricted: true },
      });
      expect(token.application_credential).not.toHaveProperty('access_rules');
      expect(token.roles.map((role: { name: string }) => role.name).sort()).toEqual([
        'creator',
        'member',
        'reader',
      ]);
      expect(token.catalog.length).toBe(2);
    }
  });

  it('gives the same 401 for all that is wrong', async () => {
    const { id, name, secret } = await make();
    const ending = await make({ expires_at: ago(-60_000) });
    const ended = { id: ending.id, secret: ending.secret };
    expect((await logIn(ended)).status).toBe(201);
    const later = () => new Date(Date.now() + 60_000);
    const clock = vi.spyOn(coffer.server.coffer.clock, 'now').mockImplementation(later);
    const domain = { name: 'Default' };
    const replies = await Promise.all([
      logIn({ id, secret: `${secret}x` }),
      logIn({ id, secret: '' }),
      logIn({ id: 'f'.repeat(32), secret }),
      logIn({ id: 'a\u00e4\u4e16', secret }),
      logIn(ended),
      logIn({ name: 'nothing', secret, user: { id: owner.userId } }),
      logIn({ name, secret, user: { id: other.userId } }),
      logIn({ name, secret, user: { name: 'nobody', domain } }),
      logIn({ name, secret, user: { name: owner.name, domain: { name: 'elsewhere' } } }),
    ]).finally(() => clock.mockRestore());
    for (const reply of replies) {
      expect(reply.status).toBe(401);
      expect(reply.text).toBe(replies[0]?.text);
      expect(reply.headers).not.toHaveProperty('x-subject-token');
    }
  });

  it('takes no scope', async () => {
    const { id, secret } = await make();
    for (const scope of [{ project: { id: owner.projectId } }, 'unscoped', {}]) {
      const reply = await logIn({ id, secret }, { scope });
      expect(reply.status).toBe(401);
      expect(reply.json.error.message).toContain('Application credentials cannot request a scope.');
    }
  });

  it.each([
    undefined,
    {},
    { id: 'x' },
    { id: 'x', secret: 5 },
    { id: 5, secret: 'x' },
    { secret: 'x' },
    { name: 'x', secret: 'x' },
    { name: 'x', secret: 'x', user: {} },
    { name: 'x', secret: 'x', user: { name: 'x' } },
  ])('answers %j with 400', async (credential) => {
    expect((await logIn(credential as object)).status).toBe(400);
  });

  it('is held back for nobody who fails', async () => {
    const { id, secret } = await make();
    for (let attempt = 0; attempt < 15; attempt += 1) await logIn({ id, secret: 'wrong' });
    const { name, userId } = owner;
    for (let attempt = 0; attempt < 12; attempt += 1) {
      await coffer.logIn(name, 'wrong').catch(() => undefined);
    }
    expect((await logIn({ id, secret })).status).toBe(201);
    await coffer.installation.db.query({
      text: 'DELETE FROM password_failures WHERE user_id = $1',
      values: [userId],
    });
  });

  it('gives a token that ends with the credential', async () => {
    const expires = new Date(Date.now() + 60_500);
    const { id, secret, expires_at } = await make({
      expires_at: expires.toISOString().replace('T', ' ').slice(0, -1),
    });
    expect(expires_at).toBe(`${expires.toISOString().slice(0, -1)}000`);
    const ends = Date.parse((await logIn({ id, secret })).json.token.expires_at);
    expect(ends).toBeLessThanOrEqual(expires.getTime());
    expect(ends).toBeGreaterThan(expires.getTime() - 1_001);
  });
});

describe('a token of one', () => {
  it('gives another of the same without a scope, and none with one', async () => {
    const { id, secret } = await make({ roles: [{ name: 'creator' }] });
    const token = String((await logIn({ id, secret })).headers['x-subject-token']);
    const rescope = async (more: object) =>
      await coffer.stranger.post(TOKENS, {
        auth: { identity: { methods: ['token'], token: { id: token } }, ...more },
      });
    for (const scope of [
      { project: { id: owner.projectId } },
      { project: { id: admin.projectId } },
      'unscoped',
    ]) {
      expect((await rescope({ scope })).status).toBe(403);
    }
    const reply = await rescope({});
    expect(reply.status).toBe(201);
    expect(reply.json.token).toMatchObject({
      methods: ['application_credential', 'token'],
      application_credential: { id },
      roles: [{ name: 'creator' }],
    });
  });

  it('is described with the credential', async () => {
    const { id, name, secret } = await make({
      unrestricted: true,
      access_rules: [{ service: 'identity', method: 'GET', path: '/v3/auth/tokens' }],
    });
    const token = String((await logIn({ id, secret })).headers['x-subject-token']);
    const own = { 'x-auth-token': token, 'x-subject-token': token };
    const reply = await coffer.stranger.get(TOKENS, { headers: own });
    expect(reply.status).toBe(200);
    expect(reply.json.token.application_credential).toEqual({
      id,
      name,
      restricted: false,
      access_rules: [{ id: expect.any(String), service: 'identity', method: 'GET', path: '/v3/auth/tokens' }],
    });
  });

  it('has the roles of the credential and no more of its owner', async () => {
    const storing = { name: 'x' };
    const reader = await clientOf(await make({ roles: [{ name: 'reader' }] }));
    expect((await reader.post('/v1/secrets', storing)).status).toBe(403);
    const creator = await clientOf(await make({ roles: [{ name: 'creator' }] }));
    expect((await creator.post('/v1/secrets', storing)).status).toBe(201);
  });

  it('makes and deletes no credential, unless it is unrestricted', async () => {
    const victim = await make();
    const restricted = await clientOf(await make());
    const body = { application_credential: { name: 'child' } };
    expect((await restricted.post(listOf(owner), body)).status).toBe(403);
    expect((await restricted.delete(`${listOf(owner)}/${victim['id']}`)).status).toBe(403);
    expect((await restricted.get(listOf(owner))).status).toBe(200);
    const unrestricted = await clientOf(await make({ unrestricted: true, roles: [{ name: 'member' }] }));
    const child = await unrestricted.post(listOf(owner), body);
    expect(child.status).toBe(201);
    const names = child.json.application_credential.roles.map(({ name }: { name: string }) => name);
    expect(names.sort()).toEqual(['member', 'reader']);
    const wider = { application_credential: { name: 'wider', roles: [{ name: 'creator' }] } };
    expect((await unrestricted.post(listOf(owner), wider)).status).toBe(400);
    expect((await unrestricted.delete(`${listOf(owner)}/${victim['id']}`)).status).toBe(204);
  });
});

describe('showing and deleting', () => {
  it('is its owner’s, and an administrator’s', async () => {
    const { id } = await make();
    const one = `${listOf(owner)}/${id}`;
    expect((await other.client.get(one)).status).toBe(403);
    expect((await other.client.get(listOf(owner))).status).toBe(403);
    expect((await other.client.delete(one)).status).toBe(403);
    expect((await admin.client.get(one)).status).toBe(200);
    expect((await admin.client.get(listOf(owner))).status).toBe(200);
    // not under one's own address either
    expect((await other.client.get(`${listOf(other)}/${id}`)).status).toBe(404);
    expect((await other.client.delete(`${listOf(other)}/${id}`)).status).toBe(404);
    expect((await admin.client.delete(one)).status).toBe(204);
    expect((await admin.client.delete(one)).status).toBe(404);
  });

  it('answers 404 for one that is not there', async () => {
    for (const id of ['f'.repeat(32), 'x', '%F0%9F%98%80', '%2E%2E%2F']) {
      expect((await owner.client.get(`${listOf(owner)}/${id}`)).status).toBe(404);
    }
  });

  it('ends its tokens and its secret', async () => {
    const credential = await make();
    const client = await clientOf(credential);
    expect((await client.get('/v1/secrets')).status).toBe(200);
    expect((await owner.client.delete(`${listOf(owner)}/${credential['id']}`)).status).toBe(204);
    expect((await logIn({ id: credential['id'], secret: credential['secret'] })).status).toBe(401);
    await expect.poll(async () => (await client.get('/v1/secrets')).status, { timeout: 5_000 }).toBe(401);
  });
});
