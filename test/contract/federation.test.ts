import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { getRole } from '../../src/identity/administration.ts';
import { assignRole } from '../../src/identity/assignments.ts';
import {
  changeIssuer,
  createIssuer,
  deleteIssuer,
  getIssuer,
  type NewIssuer,
} from '../../src/identity/federation/issuers.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { makeKey, startIssuer, type TestIssuer } from '../identity/federation/test-issuer.ts';
import { type Client, rawClient, type Reply } from './raw-http.ts';

const TOKENS = '/identity/v3/auth/tokens';
const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt';
const within5Seconds = { timeout: 5_000, interval: 50 };

let coffer: StartedCoffer;
let issuer: TestIssuer;
let owner: Person;
let lines: string[];

beforeAll(async () => {
  lines = [];
  const log = { write: (line: string) => lines.push(line) };
  [coffer, issuer] = await Promise.all([startCoffer({ log }), startIssuer()]);
  owner = await coffer.person(['creator'], 'shop');
  await create();
});
afterEach(() => {
  issuer.answer = undefined;
});
afterAll(async () => {
  await coffer.stop();
  await issuer.stop();
});

const parts = () => ({ ...coffer.installation, clock: { now: () => new Date() } });

async function create(more: Partial<NewIssuer> = {}): Promise<void> {
  await createIssuer(parts(), {
    name: 'shop-k8s',
    issuerUrl: issuer.url,
    url: issuer.jwksUrl,
    keys: null,
    audience: 'coffer-test',
    claims: new Map([['sub', 'system:serviceaccount:shop:web']]),
    project: 'shop',
    roles: ['observer'],
    allowPrivate: true,
    allowHttp: true,
    ...more,
  });
}

const federate = async (jwt: string | undefined, name = 'shop-k8s', protocol = 'openid'): Promise<Reply> =>
  await coffer.stranger.send(
    'POST',
    `/identity/v3/OS-FEDERATION/identity_providers/${name}/protocols/${protocol}/auth`,
    { headers: { authorization: jwt === undefined ? undefined : `Bearer ${jwt}` } },
  );

const rescope = async (token: string, scope: object | string | undefined): Promise<Reply> =>
  await coffer.stranger.post(TOKENS, {
    auth: {
      identity: { methods: ['token'], token: { id: token } },
      ...(scope === undefined ? {} : { scope }),
    },
  });

const form = async (fields: Record<string, string> | string): Promise<Reply> =>
  await coffer.stranger.send('POST', '/identity/oauth2/token', {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: typeof fields === 'string' ? fields : new URLSearchParams(fields).toString(),
  });

const exchange = async (jwt: string, more: Record<string, string> = {}): Promise<Reply> =>
  await form({ grant_type: GRANT, subject_token: jwt, subject_token_type: JWT_TYPE, ...more });

const bearerOf = (reply: Reply): Client => rawClient(coffer.url, String(reply.json.access_token));

describe('a JWT of a workload', () => {
  it('is exchanged as keystoneauth does it: an unscoped token, and then one of the project', async () => {
    const unscoped = await federate(await issuer.sign());
    expect(unscoped.status, unscoped.text).toBe(201);
    const token = String(unscoped.headers['x-subject-token']);
    expect(unscoped.json.token).toMatchObject({
      methods: ['openid'],
      user: { name: 'issuer:shop-k8s', 'OS-FEDERATION': { identity_provider: { id: 'shop-k8s' } } },
    });
    expect(unscoped.json.token.project).toBeUndefined();
    expect((await rawClient(coffer.url, token).get('/v1/secrets')).status).toBe(401);

    const scoped = await rescope(token, { project: { id: owner.projectId } });
    expect(scoped.status, scoped.text).toBe(201);
    expect(scoped.json.token).toMatchObject({ project: { name: 'shop' }, methods: ['openid', 'token'] });
    expect(scoped.json.token.roles.map(({ name }: { name: string }) => name)).toEqual(['observer']);
    const client = rawClient(coffer.url, String(scoped.headers['x-subject-token']));
    expect((await client.get('/v1/secrets')).status).toBe(200);
    expect((await client.post('/v1/secrets', { name: 'x' })).status).toBe(403);
  });

  it('is exchanged by RFC 8693 for a token of the project, which names its end', async () => {
    const reply = await exchange(await issuer.sign());
    expect(reply.status, reply.text).toBe(200);
    expect(reply.headers['cache-control']).toBe('no-store');
    expect(reply.json).toEqual({
      access_token: expect.stringMatching(/^ey/),
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in: expect.any(Number),
    });
    expect(reply.json.expires_in).toBeGreaterThan(590);
    expect(reply.json.expires_in).toBeLessThanOrEqual(600);
    expect((await bearerOf(reply).get('/v1/secrets')).status).toBe(200);
    const headers = { authorization: `Bearer ${reply.json.access_token}` };
    expect((await coffer.stranger.get('/v1/secrets', { headers })).status).toBe(200);
  });

  it('gives tokens that end with it, also those that come of them', async () => {
    const soon = Math.floor(Date.now() / 1000) + 90;
    const first = await federate(await issuer.sign({ exp: soon }));
    expect(Date.parse(first.json.token.expires_at)).toBe(soon * 1000);
    const scoped = await rescope(String(first.headers['x-subject-token']), {
      project: { id: owner.projectId },
    });
    expect(Date.parse(scoped.json.token.expires_at)).toBe(soon * 1000);
    const long = await federate(await issuer.sign({ exp: soon + 100_000 }));
    expect(Date.parse(long.json.token.expires_at)).toBeLessThan(Date.now() + 3_601_000);
  });

  it('is named in the log of what its token did, and its text is not', async () => {
    lines.length = 0;
    const jwt = await issuer.sign();
    await bearerOf(await exchange(jwt)).get('/v1/secrets');
    const workload = { issuer: 'shop-k8s', subject: 'system:serviceaccount:shop:web' };
    const audits = lines.map((line) => JSON.parse(line) as { audit?: object }).map(({ audit }) => audit);
    expect(audits).toContainEqual(
      expect.objectContaining({ action: 'identity:log_in', method: 'openid', outcome: 'allowed', workload }),
    );
    expect(audits).toContainEqual(expect.objectContaining({ action: 'secrets:get', workload }));
    expect(lines.join('')).not.toContain(jwt.split('.')[2]);

    lines.length = 0;
    const refused = await federate(await issuer.sign({ sub: 'another' }));
    const request = refused.headers['x-openstack-request-id'];
    const logged = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const reason = 'the claim sub has another value';
    expect(logged).toContainEqual(expect.objectContaining({ issuer: 'shop-k8s', reason, request }));
    expect(logged).toContainEqual(
      expect.objectContaining({ audit: expect.objectContaining({ outcome: 'refused', request }) }),
    );
  });

  it('leaves nothing behind that outlives it: its token makes no application credential', async () => {
    const reply = await exchange(await issuer.sign());
    const { user_id: userId } = await getIssuer(parts(), 'shop-k8s');
    const path = `/identity/v3/users/${userId}/application_credentials`;
    const made = await bearerOf(reply).post(path, { application_credential: { name: 'stays' } });
    expect([made.status, made.json.error.message]).toEqual([403, expect.stringContaining('of an issuer')]);
  });

  it('may name a subject of any text', async () => {
    const subject = '\u0001€"'.repeat(85);
    await create({ name: 'odd', claims: new Map([['team', 'odd']]) });
    const reply = await federate(await issuer.sign({ sub: subject, team: 'odd' }), 'odd');
    expect(reply.status).toBe(201);
    const scope = { project: { id: owner.projectId } };
    expect((await rescope(String(reply.headers['x-subject-token']), scope)).status).toBe(201);
    await deleteIssuer(parts(), 'odd');
  });

  it('reaches no other project, domain or system, though its user should have roles there', async () => {
    const token = String((await federate(await issuer.sign())).headers['x-subject-token']);
    const other = await coffer.person(['creator'], 'other-shop');
    const { user_id: id } = await getIssuer(parts(), 'shop-k8s');
    for (const name of ['admin', 'observer']) {
      const role = await getRole(parts(), name);
      for (const project of [null, { id: other.projectId }, { id: owner.projectId }]) {
        await assignRole(parts(), { id }, project, role);
      }
    }
    for (const scope of [
      { project: { id: other.projectId } },
      { domain: { id: 'default' } },
      { system: { all: true } },
    ]) {
      expect((await rescope(token, scope)).status).toBe(401);
    }
    expect((await rescope(token, undefined)).json.token.project).toBeUndefined();
    const scoped = await rescope(token, { project: { id: owner.projectId } });
    expect(scoped.json.token.roles.map(({ name }: { name: string }) => name)).toEqual(['observer']);
    const rescoped = rawClient(coffer.url, String(scoped.headers['x-subject-token']));
    expect((await rescoped.post('/v1/secrets', { name: 'x' })).status).toBe(403);
    expect(
      (await bearerOf(await exchange(await issuer.sign())).post('/v1/secrets', { name: 'x' })).status,
    ).toBe(403);
  });

  it.each<[string, () => Promise<string>]>([
    ['another subject', async () => await issuer.sign({ sub: 'system:serviceaccount:shop:db' })],
    ['another audience', async () => await issuer.sign({ aud: 'vault' })],
    ['another issuer', async () => await issuer.sign({ iss: 'https://issuer.example.org' })],
    ['a past', async () => await issuer.sign({ exp: Math.floor(Date.now() / 1000) })],
    ['no subject', async () => await issuer.sign({ sub: undefined })],
    [
      'an algorithm without a signature',
      async () => (await issuer.sign()).replace(/^[^.]+/, 'eyJhbGciOiJub25lIn0'),
    ],
    ['no form', async () => 'not-a-jwt'],
    ['a token of ours', async () => owner.token],
    ['more than it may hold', async () => await issuer.sign({ long: 'x'.repeat(8_000) })],
  ])('is refused with %s, in one answer for all', async (_what, make) => {
    const jwt = await make();
    const reply = await federate(jwt);
    expect([reply.status, reply.json.error.message]).toEqual([
      401,
      'The request you have made requires authentication.',
    ]);
    expect(reply.headers['x-subject-token']).toBeUndefined();
    const oauth = await exchange(jwt);
    expect([oauth.status, oauth.json]).toEqual([
      400,
      { error: 'invalid_request', error_description: 'The subject token is not accepted.' },
    ]);
  });

  it('is refused where there is none, or no such issuer', async () => {
    expect((await federate(undefined)).status).toBe(401);
    expect((await federate('')).status).toBe(401);
    const jwt = await issuer.sign();
    for (const name of ['nothing', '__proto__', "'%20OR%201=1--", 'x'.repeat(300)]) {
      expect((await federate(jwt, name)).status).toBe(401);
    }
  });
});

describe('the form of an exchange', () => {
  it('is refused in the form of OAuth', async () => {
    for (const body of ['', 'grant_type=client_credentials', `grant_type=${'x'.repeat(20_000)}`]) {
      const reply = await form(body);
      expect([reply.status, reply.headers['content-type']]).toEqual([400, 'application/json']);
      expect(Object.keys(reply.json)).toEqual(['error', 'error_description']);
    }
  });

  it('is refused in JSON', async () => {
    const reply = await coffer.stranger.post('/identity/oauth2/token', { grant_type: GRANT });
    expect([reply.status, reply.json.error]).toEqual([400, 'invalid_request']);
  });

  it('names its project where several issuers accept the JWT', async () => {
    await coffer.person(['creator'], 'second');
    await create({ name: 'second', project: 'second' });
    const jwt = await issuer.sign();
    expect((await exchange(jwt)).json.error).toBe('invalid_target');
    expect((await exchange(jwt, { audience: 'third' })).json.error).toBe('invalid_target');
    expect((await exchange(jwt, { audience: owner.projectId })).status).toBe(200);
    expect((await exchange(jwt, { audience: 'second' })).status).toBe(200);
    expect((await exchange('not-a-jwt', { audience: 'second' })).json.error).toBe('invalid_request');
    await deleteIssuer(parts(), 'second');
    expect((await exchange(jwt, { audience: coffer.server.coffer.publicUrl })).status).toBe(200);
  });
});

describe('the keys of an issuer', () => {
  it('rotate: a new one is taken up, an old one of the set goes on', async () => {
    const [old, next] = [issuer.keys[0]!, makeKey('RS256')];
    await changeIssuer(parts(), 'shop-k8s', { enabled: true });
    issuer.keys = [next, old];
    await expect
      .poll(async () => (await exchange(await issuer.sign())).status, { timeout: 15_000 })
      .toBe(200);
    issuer.keys = [old, next];
    expect((await exchange(await issuer.sign())).status).toBe(200);
  }, 20_000);

  it('that cannot be read are 503 with the time to come back', async () => {
    issuer.answer = (_request, response) => {
      response.writeHead(302, { location: coffer.url }).end();
    };
    await create({ name: 'down' });
    const before = issuer.asked;
    const replies = await Promise.all(
      Array.from({ length: 20 }, async () => await federate(await issuer.sign(), 'down')),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([503]));
    expect(replies[0]?.headers['retry-after']).toBe('10');
    expect(issuer.asked).toBe(before + 1);
    const oauth = await exchange(await issuer.sign());
    expect([oauth.status, oauth.json.error, oauth.headers['retry-after']]).toEqual([
      503,
      'temporarily_unavailable',
      '10',
    ]);
    await deleteIssuer(parts(), 'down');
  });

  it('are not read from a private address that was not allowed', async () => {
    await create({ name: 'private', allowPrivate: false });
    const before = issuer.asked;
    expect((await federate(await issuer.sign(), 'private')).status).toBe(503);
    expect(issuer.asked).toBe(before);
    await deleteIssuer(parts(), 'private');
  });
});

describe('a token of an issuer', () => {
  const isRefusedSoon = async (client: Client): Promise<void> => {
    await expect.poll(async () => (await client.get('/v1/secrets')).status, within5Seconds).toBe(401);
  };

  it('ends within 5 s of the issuer being disabled, and no new one is given', async () => {
    const unscoped = String((await federate(await issuer.sign())).headers['x-subject-token']);
    const client = bearerOf(await exchange(await issuer.sign()));
    expect((await client.get('/v1/secrets')).status).toBe(200);
    await changeIssuer(parts(), 'shop-k8s', { enabled: false });
    expect((await exchange(await issuer.sign())).status).toBe(400);
    expect((await federate(await issuer.sign())).status).toBe(401);
    expect((await rescope(unscoped, { project: { id: owner.projectId } })).status).toBe(401);
    await isRefusedSoon(client);
    await changeIssuer(parts(), 'shop-k8s', { enabled: true });
    expect((await exchange(await issuer.sign())).status).toBe(200);
  });

  it('ends on another server too, within 5 s', async () => {
    const beside = await startCoffer({ beside: coffer });
    const token = String((await exchange(await issuer.sign())).json.access_token);
    const client = rawClient(beside.url, token);
    expect((await client.get('/v1/secrets')).status).toBe(200);
    await changeIssuer(parts(), 'shop-k8s', { enabled: false });
    await isRefusedSoon(client);
    await changeIssuer(parts(), 'shop-k8s', { enabled: true });
    await beside.server.drain();
    await beside.installation.close();
  });

  it('ends when those of the issuer are revoked, and new ones are given', async () => {
    const client = bearerOf(await exchange(await issuer.sign()));
    await changeIssuer(parts(), 'shop-k8s', { revokesTokens: true });
    await isRefusedSoon(client);
    expect((await bearerOf(await exchange(await issuer.sign())).get('/v1/secrets')).status).toBe(200);
  });

  it('ends with its own revocation', async () => {
    const reply = await exchange(await issuer.sign());
    const own = bearerOf(reply);
    const headers = { 'x-subject-token': String(reply.json.access_token) };
    expect((await own.delete(TOKENS, { headers })).status).toBe(204);
    await isRefusedSoon(own);
  });

  it('ends with the issuer, whose user goes with it', async () => {
    await create({ name: 'leaving' });
    const { user_id: userId } = await getIssuer(parts(), 'leaving');
    const client = bearerOf(
      await exchange(await issuer.sign(), { audience: 'shop' }).then(async (reply) =>
        reply.status === 200 ? reply : await federatedScoped('leaving'),
      ),
    );
    expect((await client.get('/v1/secrets')).status).toBe(200);
    await deleteIssuer(parts(), 'leaving');
    await isRefusedSoon(client);
    const { rows } = await coffer.installation.db.query({
      text: 'SELECT id FROM users WHERE id = $1 UNION ALL SELECT user_id FROM role_assignments WHERE user_id = $1',
      values: [userId],
    });
    expect(rows).toEqual([]);
    expect((await federate(await issuer.sign(), 'leaving')).status).toBe(401);
  });

  async function federatedScoped(name: string): Promise<Reply> {
    const unscoped = await federate(await issuer.sign(), name);
    const scoped = await rescope(String(unscoped.headers['x-subject-token']), {
      project: { id: owner.projectId },
    });
    return { ...scoped, json: { access_token: scoped.headers['x-subject-token'] } };
  }
});

it('takes each name once, and no issuer that would let in everyone', async () => {
  await expect(create()).rejects.toMatchObject({ code: 'conflict' });
  await expect(create({ name: 'SHOP-K8S' })).rejects.toMatchObject({ code: 'conflict' });
  for (const wrong of [
    { claims: new Map<string, string>() },
    { roles: [] },
    { name: 'a/b' },
    { name: '' },
    { issuerUrl: 'issuer' },
    { audience: '' },
    { claims: new Map([['sub', '']]) },
  ]) {
    await expect(create({ name: 'wrong', ...wrong })).rejects.toMatchObject({ code: 'bad_request' });
  }
  await expect(create({ name: 'wrong', project: 'none' })).rejects.toMatchObject({ code: 'not_found' });
  await expect(create({ name: 'wrong', roles: ['none'] })).rejects.toMatchObject({ code: 'not_found' });
});
