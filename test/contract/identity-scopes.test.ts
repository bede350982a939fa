import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

describe('a token for a domain or the system', () => {
  afterAll(async () => await coffer.stop());
  beforeAll(async () => {
    coffer = await startCoffer();
    holder = await coffer.person(['creator'], 'demo');
    reader = await coffer.person(['creator'], 'demo');
    await grant(coffer, reader.userId, 'system', 'reader');
    await grant(coffer, reader.userId, 'domain', 'admin');
  });

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

  it('of the system gives none for a project or a domain', async () => {
    const token = tokenOf(await logIn(userOf(reader), system));
    for (const scope of [domainScope, project]) {
      const reply = await rescope(token, scope);
      expect([reply.status, reply.json.error.title]).toEqual([403, 'Forbidden']);
    }
    expect((await rescope(token, system)).status).toBe(201);
    expect((await rescope(tokenOf(await logIn(userOf(reader), domainScope)), system)).status).toBe(201);
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
