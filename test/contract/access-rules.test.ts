import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { clientWith, createCredential, credentialsOf, makeCredential } from './applications.ts';
import type { Client, Reply } from './raw-http.ts';

let coffer: StartedCoffer;
let owner: Person;
let other: Person;
let secretId: string;
const lines: Record<string, unknown>[] = [];

beforeAll(async () => {
  const log = new Writable({
    write: (chunk, _encoding, done) => {
      for (const line of String(chunk).trim().split('\n')) lines.push(JSON.parse(line));
      done();
    },
  });
  coffer = await startCoffer({ log });
  owner = await coffer.person(['creator'], 'demo');
  other = await coffer.person(['creator'], 'demo');
  const stored = await owner.client.post('/v1/secrets', { payload: 'x', payload_content_type: 'text/plain' });
  secretId = String(stored.json.secret_ref).slice(-36);
});
afterAll(async () => await coffer.stop());

const rulesOf = ({ userId }: Pick<Person, 'userId'>) => `/identity/v3/users/${userId}/access_rules`;
const create = async (fields: object, by = owner) => await createCredential(by, fields);
const make = async (fields: object, by = owner) => await makeCredential(by, fields);

async function clientFor(...rules: [method: string, path: string, service?: string][]): Promise<Client> {
  const access = rules.map(([method, path, service = 'key-manager']) => ({ service, method, path }));
  return await clientWith(coffer, await make({ access_rules: access }));
}

describe('a token under access rules', () => {
  it('does what they allow, and nothing else', async () => {
    const client = await clientFor(['GET', '/v1/secrets/*/payload']);
    const secret = `/v1/secrets/${secretId}`;
    expect((await client.get(`${secret}/payload`, { headers: { accept: 'text/plain' } })).text).toBe('x');
    for (const [method, path] of [
      ['GET', secret],
      ['GET', '/v1/secrets'],
      ['GET', '/v1'],
      ['PUT', secret],
      ['DELETE', secret],
      ['POST', '/v1/secrets'],
      ['GET', `${secret}/metadata`],
      ['GET', '/v1/secrets/x/payload/more'],
      ['GET', '/v1/no/such/thing'],
      ['PATCH', `${secret}/payload`],
      ['GET', '/identity/v3/auth/projects'],
      ['GET', '/identity/v3/auth/tokens'],
      ['GET', credentialsOf(owner)],
    ] as const) {
      const reply = await client.send(method, path);
      expect([method, path, reply.status]).toEqual([method, path, 403]);
    }
  });

  it('gets no payload by the address of the secret unless they allow that of its payload', async () => {
    const secret = `/v1/secrets/${secretId}`;
    const metadataAlone = await clientFor(['GET', '/v1/secrets/*']);
    const both = await clientFor(['GET', '/v1/secrets/*'], ['GET', '/v1/secrets/*/payload']);
    for (const accept of [
      'text/plain',
      'application/octet-stream',
      'text/*',
      '',
      'application/json;q=0, */*',
    ]) {
      const headers = { accept };
      const refused = await metadataAlone.get(secret, { headers });
      expect([accept, refused.status]).toEqual([accept, 403]);
      expect(refused.json.description).toContain('access rules');
      const [own, given] = [await owner.client.get(secret, { headers }), await both.get(secret, { headers })];
      expect([accept, given.status, given.text]).toEqual([accept, own.status, own.text]);
    }
    expect((await both.get(secret, { headers: { accept: 'text/plain' } })).text).toBe('x');
    for (const accept of [undefined, 'application/json', '*/*', 'application/json, text/plain']) {
      const shown = await metadataAlone.get(secret, { headers: { accept } });
      expect([accept, shown.status, shown.json.secret_type]).toEqual([accept, 200, 'opaque']);
    }
    expect((await metadataAlone.get(`${secret}/payload`)).status).toBe(403);
  });

  it('finds no way around them by another spelling of the address', async () => {
    const client = await clientFor(['GET', '/v1/secrets'], ['GET', '/v1/secrets/allowed']);
    const spellings = [
      `/v1/secrets/${secretId}`,
      `//v1//secrets//${secretId}`,
      `/v1/secrets/${secretId}/`,
      `/v1/%73ecrets/${secretId}`,
      `/v1/secrets%2F${secretId}`,
      `/v1/secrets/%2e%2e/secrets/${secretId}`,
      `/v1/secrets/../secrets/${secretId}`,
      `/v1/secrets;/${secretId}`,
      `/v1/secrets;x=/v1/secrets/${secretId}`,
      `/V1/SECRETS/${secretId}`,
      `/v1/secrets/${secretId.toUpperCase()}`,
      `/v1/secrets/allowed/../${secretId}`,
      `/v1/secrets/allowed%2f..%2f${secretId}`,
      `/v1/secrets/${secretId}#/v1/secrets`,
      `/v1/secrets/${secretId}?x=/v1/secrets`,
      `/v1/secrets/${secretId}%3f`,
      `/v1/secrets/%252e/${secretId}`,
    ];
    for (const path of spellings) {
      const reply = await client.get(path);
      expect(reply.text).not.toContain('secret_type');
      expect([path, reply.status]).toEqual([
        path,
        expect.toSatisfy((status: number) => [403, 404].includes(status)),
      ]);
    }
    for (const path of [
      '/v1/secrets',
      '/v1/secrets/',
      '//v1///secrets//',
      '/v1/%73ecrets',
      '/v1/secrets?limit=1',
    ]) {
      expect([path, (await client.get(path)).status]).toEqual([path, 200]);
    }
  });

  it('has every refusal on record, by the route and never by the address', async () => {
    const credential = await make({
      access_rules: [{ service: 'key-manager', method: 'GET', path: '/v1' }],
    });
    const client = await clientWith(coffer, credential);
    const replies: Reply[] = [];
    lines.length = 0;
    for (const [method, path] of [
      ['GET', '/v1'],
      ['GET', `/v1/secrets/${secretId}`],
      ['DELETE', '/v1/secrets/hunter2'],
      ['GET', '/v1/hunter2'],
      ['PATCH', `/v1/secrets/${secretId}`],
      ['GET', '/identity/v3/auth/projects'],
    ] as const) {
      replies.push(await client.send(method, path));
    }
    expect(replies.map(({ status }) => status)).toEqual([200, 403, 403, 403, 403, 403]);
    const decisions = lines.filter(({ msg }) => msg === 'decision').map(({ audit }) => audit);
    const refusal = {
      outcome: 'refused',
      user: owner.userId,
      project: owner.projectId,
      token: expect.any(String),
      application: credential.id,
      subject: null,
      subjectProject: owner.projectId,
      reason: 'access rules',
    };
    const actions = [
      'secret:get',
      'secret:delete',
      'GET unknown',
      'PATCH unknown',
      'GET /identity/v3/auth/projects',
    ];
    expect(decisions).toEqual(
      actions.map((action, at) => ({
        action,
        ...refusal,
        request: replies[at + 1]?.headers['x-openstack-request-id'],
      })),
    );
    expect(JSON.stringify(lines)).not.toContain('hunter2');
  });

  it('is held to them in identity too, where paths begin with the version', async () => {
    const client = await clientFor(['GET', '/v3/auth/projects', 'identity'], ['GET', '/v3/auth/catalog']);
    expect((await client.get('/identity/v3/auth/projects')).status).toBe(200);
    expect((await client.get('/identity/v3/auth/catalog')).status).toBe(403);
    expect((await client.get('/v1/secrets')).status).toBe(403);
  });

  it('cannot shake them off by a token of the token', async () => {
    const credential = await make({
      access_rules: [{ service: 'key-manager', method: 'GET', path: '/v1' }],
    });
    const { stranger } = coffer;
    const { id, secret } = credential;
    const identity = { methods: ['application_credential'], application_credential: { id, secret } };
    const first = await stranger.post('/identity/v3/auth/tokens', { auth: { identity } });
    const token = { id: first.headers['x-subject-token'] };
    const again = await stranger.post('/identity/v3/auth/tokens', {
      auth: { identity: { methods: ['token'], token } },
    });
    expect(again.json.token.application_credential.access_rules.length).toBe(1);
    const headers = { 'x-auth-token': String(again.headers['x-subject-token']) };
    expect((await stranger.get('/v1', { headers })).status).toBe(200);
    expect((await stranger.get('/v1/secrets', { headers })).status).toBe(403);
  });
});

describe('access rules', () => {
  const rule = { service: 'key-manager', method: 'GET', path: '/v1/secrets' };

  it('are listed once for all credentials that have them, filtered, shown, and deleted when none has', async () => {
    const person = await coffer.person(['creator'], 'demo');
    const second = { ...rule, method: 'POST' };
    const first = await make({ access_rules: [rule, second, rule] }, person);
    const rules = first.access_rules;
    expect(rules.map(({ service, method, path }) => ({ service, method, path }))).toEqual(
      expect.arrayContaining([rule, second]),
    );
    expect(rules.length).toBe(2);
    const again = await make({ access_rules: [rule, { id: rules[0]?.id }] }, person);
    const ids = again.access_rules.map(({ id }) => id);
    expect(rules.map(({ id }) => id)).toEqual(expect.arrayContaining(ids));

    const list = (await person.client.get(rulesOf(person))).json.access_rules;
    expect(list.length).toBe(2);
    const posts = (await person.client.get(`${rulesOf(person)}?method=POST`)).json.access_rules;
    expect(posts).toMatchObject([second]);
    const one = `${rulesOf(person)}/${posts[0].id}`;
    expect((await person.client.get(one)).json.access_rule).toEqual(posts[0]);
    expect((await other.client.get(one)).status).toBe(403);
    expect((await other.client.get(`${rulesOf(other)}/${posts[0].id}`)).status).toBe(404);

    const refused = await person.client.delete(one);
    expect([refused.status, refused.json.error.message]).toEqual([403, 'May not delete access rule in use']);
    for (const { id } of [first, again]) await person.client.delete(`${credentialsOf(person)}/${id}`);
    expect((await other.client.delete(one)).status).toBe(403);
    expect((await person.client.delete(one)).status).toBe(204);
    expect((await person.client.get(one)).status).toBe(404);
    expect((await person.client.delete(one)).status).toBe(404);
  });

  it('of another user are not there to be given', async () => {
    const [given] = (await make({ access_rules: [rule] })).access_rules;
    expect((await create({ access_rules: [{ id: given?.id }] }, other)).status).toBe(404);
  });

  it('made by many at once are made once', async () => {
    const person = await coffer.person(['creator'], 'demo');
    const path = '/v1/containers';
    const replies = await Promise.all(
      Array.from({ length: 6 }, async () => await create({ access_rules: [{ ...rule, path }] }, person)),
    );
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 201));
    expect((await person.client.get(rulesOf(person))).json.access_rules.length).toBe(1);
  });
});
