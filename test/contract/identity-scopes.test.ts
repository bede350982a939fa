import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createRevisionMemory } from '../../src/db/revisions.ts';
import { readRights } from '../../src/identity/rights.ts';
import { openSessions } from '../../src/identity/sessions.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { grant, withdrawAll } from '../identity/scoped-roles.ts';
import type { Reply } from './raw-http.ts';

const TOKENS = '/identity/v3/auth/tokens';
const domain = { name: 'Default' };
const project = { project: { name: 'demo', domain } };
const system = { system: { all: true } };
const domainScope = { domain: { id: 'default' } };
let coffer: StartedCoffer;
let holder: Person;
let reader: Person;

const userOf = ({ name, password }: Person) => ({ name, password, domain });
const tokenOf = (reply: Reply): string => String(reply.headers['x-subject-token']);

async function logIn(user: object, scope: unknown): Promise<Reply> {
  const identity = { methods: ['password'], password: { user } };
  return await coffer.stranger.post(TOKENS, { auth: { identity, scope } });
}

async function rescope(token: string, scope: unknown): Promise<Reply> {
  const auth = { identity: { methods: ['token'], token: { id: token } }, scope };
  return await coffer.stranger.post(TOKENS, { auth });
}

beforeAll(async () => {
  coffer = await startCoffer();
  holder = await coffer.person(['creator'], 'demo');
  reader = await coffer.person(['creator'], 'demo');
  await grant(coffer, reader.userId, 'system', 'reader');
  await grant(coffer, reader.userId, 'domain', 'admin');
});
afterAll(async () => await coffer.stop());

describe('a token for a domain or the system', () => {
  it('is given to who has a role there, and says what it is for', async () => {
    const forSystem = await logIn(userOf(reader), system);
    const forDomain = await logIn(userOf(reader), { domain });
    expect([forSystem.status, forDomain.status]).toEqual([201, 201]);
    const [first, second] = [forSystem.json.token, forDomain.json.token];
    const roles = (token: { roles: { name: string }[] }) => token.roles.map(({ name }) => name);
    expect([first.system, roles(first)]).toEqual([{ all: true }, ['reader']]);
    expect([second.domain, roles(second)]).toEqual([
      { id: 'default', name: 'Default' },
      ['admin', 'manager', 'member', 'reader'],
    ]);
    for (const token of [first, second]) {
      expect(token.catalog).toHaveLength(2);
      for (const absent of ['project', 'is_domain']) expect(token).not.toHaveProperty(absent);
    }
  });

  it('is given to nobody else', async () => {
    for (const scope of [system, domainScope, { domain: { name: 'Other' } }, { domain: { id: 'x' } }]) {
      expect((await logIn(userOf(holder), scope)).status).toBe(401);
      expect((await rescope(holder.token, scope)).status).toBe(401);
    }
    expect((await logIn(userOf(reader), { domain: { id: 'x' } })).status).toBe(401);
  });

  it('is no token to the key manager, whatever its roles', async () => {
    for (const scope of [system, domainScope]) {
      const token = tokenOf(await logIn(userOf(reader), scope));
      const reply = await coffer.stranger.get('/v1/secrets', { headers: { 'x-auth-token': token } });
      expect(reply.status).toBe(401);
    }
  });

  it('of the system gives none for a project or a domain that is asked for', async () => {
    const token = tokenOf(await logIn(userOf(reader), system));
    for (const scope of [domainScope, project]) {
      const reply = await rescope(token, scope);
      expect([reply.status, reply.json.error.title]).toEqual([403, 'Forbidden']);
    }
    expect((await rescope(token, system)).status).toBe(201);
    expect((await rescope(tokenOf(await logIn(userOf(reader), domainScope)), system)).status).toBe(201);
  });

  it('of the system gives one without a scope, or for the default project, as in Keystone', async () => {
    const person = await coffer.person(['creator'], 'demo');
    await grant(coffer, person.userId, 'system', 'reader');
    const rescoped = async (scope?: unknown) => {
      const reply = await rescope(tokenOf(await logIn(userOf(person), system)), scope);
      expect(reply.status).toBe(201);
      return [reply.json.token.system, reply.json.token.project?.id];
    };
    expect(await rescoped('unscoped')).toEqual([undefined, undefined]);
    expect(await rescoped()).toEqual([undefined, undefined]);
    const admin = await coffer.person(['admin'], 'demo');
    const body = { user: { default_project_id: person.projectId } };
    await admin.client.send('PATCH', `/identity/v3/users/${person.userId}`, { body });
    expect(await rescoped()).toEqual([undefined, person.projectId]);
    expect(await rescoped('unscoped')).toEqual([undefined, undefined]);
  });

  it('ends with its last role there', async () => {
    const passing = await coffer.person(['creator'], 'demo');
    await grant(coffer, passing.userId, 'system', 'reader');
    const token = tokenOf(await logIn(userOf(passing), system));
    const own = { headers: { 'x-auth-token': token, 'x-subject-token': token } };
    expect((await coffer.stranger.get(TOKENS, own)).status).toBe(200);
    await withdrawAll(coffer, passing.userId);
    await expect
      .poll(async () => (await coffer.stranger.get(TOKENS, own)).status, { timeout: 5_500 })
      .toBe(401);
  });
});

describe('what a user may be scoped to', () => {
  const AUTH = '/identity/v3/auth';

  it('is listed with links, in every scope of the token', async () => {
    const base = `${coffer.url}/identity/v3`;
    for (const scope of [project, system, domainScope, 'unscoped']) {
      const own = { headers: { 'x-auth-token': tokenOf(await logIn(userOf(reader), scope)) } };
      const [projects, domains, everything] = await Promise.all(
        ['projects', 'domains', 'system'].map(
          async (what) => (await coffer.stranger.get(`${AUTH}/${what}`, own)).json,
        ),
      );
      expect(projects.projects).toMatchObject([
        { id: reader.projectId, domain_id: 'default', enabled: true },
      ]);
      expect(projects.projects[0].links.self).toBe(`${base}/projects/${reader.projectId}`);
      expect(projects.links).toEqual({ self: `${base}/auth/projects`, previous: null, next: null });
      expect(domains.domains).toMatchObject([{ id: 'default', name: 'Default', enabled: true }]);
      expect(domains.links.self).toBe(`${base}/auth/domains`);
      expect(everything).toEqual({ system: [{ all: true }], links: { self: `${base}/auth/system` } });
    }
  });

  it('is nothing where there is no role', async () => {
    expect((await holder.client.get(`${AUTH}/domains`)).json.domains).toEqual([]);
    expect((await holder.client.get(`${AUTH}/system`)).json.system).toEqual([]);
  });

  it('has a catalog for a project alone', async () => {
    for (const [scope, status] of [
      [project, 200],
      [system, 403],
      [domainScope, 403],
    ] as const) {
      const own = { headers: { 'x-auth-token': tokenOf(await logIn(userOf(reader), scope)) } };
      expect((await coffer.stranger.get(`${AUTH}/catalog`, own)).status).toBe(status);
    }
  });
});

describe("another user's token", () => {
  it('is described to a reader of the system, and revoked by an administrator alone', async () => {
    const asks = async (method: string, token: string) => {
      const headers = { 'x-auth-token': token, 'x-subject-token': holder.token };
      return (await coffer.stranger.send(method, TOKENS, { headers })).status;
    };
    const forSystem = tokenOf(await logIn(userOf(reader), system));
    const forProject = tokenOf(await logIn(userOf(reader), project));
    for (const method of ['GET', 'HEAD']) {
      expect([await asks(method, forSystem), await asks(method, forProject)]).toEqual([200, 403]);
    }
    expect([await asks('DELETE', forSystem), await asks('DELETE', forProject)]).toEqual([403, 403]);
    expect((await holder.client.get('/v1/secrets')).status).toBe(200);
  });
});

describe('a token that ended', () => {
  it('is described to who asks for such, unless it was revoked, and gives no right', async () => {
    const { coffer: parts } = coffer.server;
    const scope = { kind: 'project', id: holder.projectId } as const;
    const rights = await readRights(parts, createRevisionMemory(), holder.userId, scope);
    const sessions = await openSessions(parts, 60, createRevisionMemory());
    if (rights === undefined) throw new Error('no rights');
    const [token, revoked] = [1, 2].map(() => sessions.issue(rights, 'password', undefined).token) as [
      string,
      string,
    ];
    const about = (subject: string) => ({ headers: { 'x-subject-token': subject } });
    expect((await holder.client.delete(TOKENS, about(revoked))).status).toBe(204);
    expect((await holder.client.get(TOKENS, about(token))).status).toBe(200);
    const clock = vi.spyOn(parts.clock, 'now').mockImplementation(() => new Date(Date.now() + 60_000));
    try {
      expect((await holder.client.get(TOKENS, about(token))).status).toBe(404);
      const ended = await holder.client.get(`${TOKENS}?allow_expired=1`, about(token));
      expect([ended.status, ended.json.token.user.id]).toEqual([200, holder.userId]);
      expect((await holder.client.get(`${TOKENS}?allow_expired=true`, about(revoked))).status).toBe(404);
      expect((await holder.client.get(`${TOKENS}?allow_expired=0`, about(token))).status).toBe(404);
      expect((await holder.client.delete(`${TOKENS}?allow_expired=1`, about(token))).status).toBe(404);
      const own = { headers: { 'x-auth-token': token, 'x-subject-token': token } };
      expect((await coffer.stranger.get(`${TOKENS}?allow_expired=1`, own)).status).toBe(401);
    } finally {
      clock.mockRestore();
    }
  });
});
