import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type KeyManager, startKeyManager } from './key-manager.ts';
import type { Client } from './raw-http.ts';

let keyManager: KeyManager;
let creator: Client;
let ref: string;
beforeAll(async () => {
  keyManager = await startKeyManager();
  creator = keyManager.as('creator');
});
afterAll(async () => await keyManager.stop());
beforeEach(async () => {
  ref = (await creator.post('/v1/secrets', { payload: 'hi', payload_content_type: 'text/plain' })).json
    .secret_ref;
});

const put = async (metadata: unknown) => await creator.put(`${ref}/metadata`, { metadata });
const show = async () => (await creator.get(`${ref}/metadata`)).json;

describe('the user metadata of a secret', () => {
  it('is empty at first', async () => {
    const reply = await creator.get(`${ref}/metadata`);
    expect([reply.status, reply.json]).toEqual([200, { metadata: {} }]);
  });

  it('is replaced as a whole: 201, a reference and no Location', async () => {
    await put({ first: '1' });
    const reply = await put({ A: ' 1 ', 'b-_2': '' });
    expect([reply.status, reply.json]).toEqual([201, { metadata_ref: `${ref}/metadata` }]);
    expect(reply.headers.location).toBeUndefined();
    expect(await show()).toEqual({ metadata: { a: '1', 'b-_2': '' } });
    expect((await put({})).status).toBe(201);
    expect(await show()).toEqual({ metadata: {} });
  });

  it('shows in no secret and leaves payload and content type alone', async () => {
    const before = (await creator.get(ref)).json;
    await put({ env: 'prod' });
    const after = (await creator.get(ref)).json;
    expect(after).toEqual({ ...before, updated: after.updated });
    expect((await creator.get(`${ref}/payload`)).text).toBe('hi');
  });

  it('goes with the secret', async () => {
    await put({ env: 'prod' });
    await creator.delete(ref);
    expect((await creator.get(`${ref}/metadata`)).json.description).toBe('Secret not found.');
  });

  it.each<[string, unknown]>([
    ['Invalid Metadata. Keys and Values must be Strings.', { metadata: { a: 5 } }],
    ['Invalid Metadata. Keys and Values must be Strings.', { metadata: { a: null } }],
    ['Invalid Key. Key must be URL safe.', { metadata: { 'a b': 'x' } }],
    ['Invalid Key. Key must be URL safe.', { metadata: { 'a\n': 'x' } }],
    ["'metadata' is a required property", {}],
    ["is not of type 'object'", { metadata: [] }],
    ["is not of type 'object'", []],
    ['is too long', { metadata: { a: 'x'.repeat(256) } }],
  ])('is refused with 400 and stays: %s', async (text, body) => {
    await put({ env: 'prod' });
    const reply = await creator.put(`${ref}/metadata`, body);
    expect(reply.status).toBe(400);
    expect(reply.json.description).toContain(text);
    expect(await show()).toEqual({ metadata: { env: 'prod' } });
  });

  it('takes 255 characters and as many items as have room', async () => {
    const longest = '😀'.repeat(255);
    const many = Object.fromEntries(Array.from({ length: 256 }, (_, index) => [`k${index}`, `v${index}`]));
    expect((await put({ a: longest })).status).toBe(201);
    expect(await show()).toEqual({ metadata: { a: longest } });
    expect((await put(many)).status).toBe(201);
    expect(await show()).toEqual({ metadata: many });
    const more = await creator.post(`${ref}/metadata`, { key: 'one-more', value: '' });
    expect([more.status, more.json.description]).toEqual([
      400,
      'Invalid Metadata. A secret has at most 256 keys and 25000 bytes.',
    ]);
  });

  it('asks for JSON', async () => {
    for (const method of ['PUT', 'POST']) {
      const reply = await creator.send(method, `${ref}/metadata`, { body: '{}', headers: {} });
      expect(reply.status).toBe(415);
    }
  });

  it.each([
    [undefined, 200],
    ['*/*', 200],
    ['*/*;q=0.8', 200],
    ['application/json;q=0.5', 200],
    ['application/*', 200],
    ['text/html, application/json', 200],
    ['application/json, text/plain, */*', 200],
    ['text/plain', 406],
    ['text/html', 406],
    ['application/xml', 406],
  ])('answers %j with %i, and always answers', async (accept, status) => {
    const reply = await creator.get(`${ref}/metadata`, { headers: { accept } });
    expect(reply.status).toBe(status);
  });

  it('has no DELETE', async () => {
    const reply = await creator.delete(`${ref}/metadata`);
    expect(reply.json).toEqual({ code: 405, title: 'Method Not Allowed', description: '' });
    expect(String(reply.headers.allow).split(', ').sort()).toEqual(['GET', 'POST', 'PUT']);
  });
});

describe('one item of it', () => {
  beforeEach(async () => {
    await put({ env: 'prod' });
  });

  it('is added: 201, its Location, and the pair in lower case', async () => {
    const reply = await creator.post(`${ref}/metadata`, { key: 'Access-Limit', value: ' 2 ' });
    expect([reply.status, reply.json]).toEqual([201, { key: 'access-limit', value: '2' }]);
    expect(reply.headers.location).toBe(`${ref}/metadata/access-limit`);
    expect(await show()).toEqual({ metadata: { 'access-limit': '2', env: 'prod' } });
  });

  it('is not added twice', async () => {
    const reply = await creator.post(`${ref}/metadata`, { key: 'ENV', value: 'x' });
    expect([reply.status, reply.json.description]).toEqual([
      409,
      'Conflict. Key in request is already in the secret metadata',
    ]);
  });

  it('is shown', async () => {
    const reply = await creator.get(`${ref}/metadata/env`);
    expect([reply.status, reply.text]).toEqual([200, '{"key":"env","value":"prod"}']);
  });

  it.each(['other', 'ENV', 'toString', 'constructor', '__proto__', '%20', 'env%2F'])(
    'is not found as %s',
    async (key) => {
      for (const reply of [
        await creator.get(`${ref}/metadata/${key}`),
        await creator.put(`${ref}/metadata/${key}`, { key: 'env', value: 'x' }),
      ]) {
        expect([reply.status, reply.json.description]).toEqual([404, 'Secret metadata not found.']);
      }
    },
  );

  it('is changed under its own name alone', async () => {
    const reply = await creator.put(`${ref}/metadata/env`, { key: 'ENV', value: 'dev' });
    expect([reply.status, reply.json]).toEqual([200, { key: 'env', value: 'dev' }]);
    expect(await show()).toEqual({ metadata: { env: 'dev' } });
    const other = await creator.put(`${ref}/metadata/env`, { key: 'x', value: 'dev' });
    expect(other.status).toBe(409);
    expect(other.json.description.startsWith('Key in request data does not match key in the ')).toBe(true);
  });

  it.each<[unknown, string]>([
    [{ key: 'env' }, "'value' is a required property"],
    [{ value: 'x' }, "'key' is a required property"],
    [{ key: 'env', value: 5 }, "5 is not of type 'string'"],
    [{ key: 'env', value: 'x'.repeat(256) }, 'is too long'],
    [{ key: 'env', value: 'x', more: 1 }, "Additional properties are not allowed ('more' was unexpected)"],
    [{ key: 'a/b', value: 'x' }, 'Invalid Key. Key must be URL safe.'],
  ])('is refused with 400 as %j', async (body, text) => {
    for (const reply of [
      await creator.post(`${ref}/metadata`, body),
      await creator.put(`${ref}/metadata/env`, body),
      await creator.put(`${ref}/metadata/not-there`, body),
    ]) {
      expect(reply.status).toBe(400);
      expect(reply.json.description).toContain(text);
    }
  });

  it('is removed: 204 without a body, however often', async () => {
    for (const key of ['env', 'env', 'never-there']) {
      const reply = await creator.delete(`${ref}/metadata/${key}`);
      expect([reply.status, reply.text, reply.headers['content-length']]).toEqual([204, '', undefined]);
    }
    expect(await show()).toEqual({ metadata: {} });
  });

  it('has no POST and no PATCH', async () => {
    for (const method of ['POST', 'PATCH']) {
      const reply = await creator.send(method, `${ref}/metadata/env`);
      expect(reply.status).toBe(405);
      expect(String(reply.headers.allow).split(', ').sort()).toEqual(['DELETE', 'GET', 'PUT']);
    }
  });

  it('is not lost when many are added at once', async () => {
    const keys = Array.from({ length: 4 }, (_, index) => `k${index}`);
    const replies = await Promise.all(
      keys.map((key) => creator.post(`${ref}/metadata`, { key, value: 'x' })),
    );
    const added = keys.filter((_, index) => replies[index]?.status === 201);
    expect(replies.every(({ status }) => status === 201 || status === 503)).toBe(true);
    expect(Object.keys((await show()).metadata)).toEqual(['env', ...added].sort());
  });
});

it('asks for rights before it looks at the body', async () => {
  const observer = keyManager.as('observer');
  for (const [method, path] of [
    ['PUT', 'metadata'],
    ['POST', 'metadata'],
    ['PUT', 'metadata/k'],
    ['DELETE', 'metadata/k'],
  ] as const) {
    const reply = await observer.send(method, `${ref}/${path}`, { body: 'garbage' });
    expect(reply.status).toBe(403);
    expect(reply.json.description).toContain(
      'attempt not allowed - please review your user/project privileges',
    );
  }
});
