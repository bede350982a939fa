import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KeyManager, startKeyManager } from './key-manager.ts';
import type { Client } from './raw-http.ts';

let keyManager: KeyManager;
let creator: Client;
beforeAll(async () => {
  keyManager = await startKeyManager();
  creator = keyManager.as('creator');
});
afterAll(async () => await keyManager.stop());

const TEXT = { payload: 'hi', payload_content_type: 'text/plain' };
const store = async (body: object = TEXT): Promise<string> =>
  (await creator.post('/v1/secrets', body)).json.secret_ref;
const NOT_THERE = '0f3a2d1c-5b6e-4f70-8a9b-0c1d2e3f4a5b';

describe('GET /v1/secrets/{id}', () => {
  it.each([
    undefined,
    '*/*',
    'application/json',
    'application/json;q=1',
    'application/*',
    '*/*;q=0.8',
    'application/json, text/plain, */*',
    'text/html, application/json',
  ])('describes the secret to who accepts %j', async (accept) => {
    const ref = await store();
    const reply = await creator.get(ref, { headers: { accept } });
    expect(reply.status).toBe(200);
    expect(reply.headers['content-type']).toBe('application/json');
    expect(reply.headers['cache-control']).toBe('no-store');
    expect(reply.json.secret_ref).toBe(ref);
  });

  it.each([
    ['text/plain', 'text/plain; charset=UTF-8'],
    ['text/plain;charset=utf-8', 'text/plain;charset=utf-8'],
    ['application/octet-stream', 'application/octet-stream'],
    ['application/pkcs8', 'application/pkcs8'],
  ])('still gives the payload to who accepts %s alone', async (accept, type) => {
    const reply = await creator.get(await store(), { headers: { accept } });
    expect([reply.status, reply.text, reply.headers['content-type']]).toEqual([200, 'hi', type]);
  });

  it.each(['text/html', 'text/plain, text/html', 'application/xml', 'image/png;q=0.1'])(
    'is not acceptable as %s',
    async (accept) => {
      const reply = await creator.get(await store(), { headers: { accept } });
      expect(reply.status).toBe(406);
      expect(reply.json.description).toBe('Secret retrieval issue seen - Wrong payload content-type.');
    },
  );

  it('asks for the right to decrypt where the payload is asked for', async () => {
    const ref = await store();
    const auditor = keyManager.as('audit');
    expect((await auditor.get(ref)).status).toBe(200);
    expect((await auditor.get(ref, { headers: { accept: 'text/plain' } })).status).toBe(403);
  });

  it.each([
    'x',
    NOT_THERE.toUpperCase(),
    NOT_THERE.replaceAll('-', ''),
    NOT_THERE.replace('-4', '-1'),
    NOT_THERE.replace('-8a', '-ca'),
    `${NOT_THERE}0`,
    '%00',
    "'; DROP TABLE secrets; --".replaceAll(' ', '%20'),
  ])('answers 404 to the id %j, whatever is asked of it', async (id) => {
    for (const [method, rest] of [
      ['GET', ''],
      ['PUT', ''],
      ['DELETE', ''],
      ['GET', '/payload'],
      ['GET', '/metadata'],
      ['PUT', '/metadata/k'],
    ] as const) {
      const reply = await creator.send(method, `/v1/secrets/${id}${rest}`);
      if (id === '%00') expect(reply.status).toBe(400);
      else {
        expect([reply.status, reply.json.description]).toEqual([
          404,
          'Not Found. Provided secret id is invalid.',
        ]);
      }
    }
  });

  it('answers 404 to an id that nobody has, also to those without any right', async () => {
    for (const client of [
      creator,
      keyManager.as('nobody'),
      keyManager.as('admin', { project: 'project-2' }),
    ]) {
      for (const rest of ['', '/payload', '/metadata', '/metadata/k']) {
        const reply = await client.get(`/v1/secrets/${NOT_THERE}${rest}`);
        expect(reply.json).toEqual({ code: 404, title: 'Not Found', description: 'Secret not found.' });
      }
    }
  });

  it('answers 404 to what is no part of a secret', async () => {
    const ref = await store();
    for (const rest of ['/nope', '/payload/x', '/metadata/k/x', '/acl/x']) {
      expect((await creator.get(`${ref}${rest}`)).status).toBe(404);
    }
  });

  it('answers 405 to HEAD, PATCH and POST, and names the methods that are known', async () => {
    const ref = await store();
    for (const method of ['HEAD', 'PATCH', 'POST']) {
      const reply = await creator.send(method, ref, { headers: { accept: 'application/json' } });
      expect(reply.status).toBe(405);
      expect(String(reply.headers.allow).split(', ').sort()).toEqual(['DELETE', 'GET', 'PUT']);
      if (method !== 'HEAD') expect(reply.json.description).toBe('');
    }
    expect((await creator.post(`${ref}/payload`, 'x')).status).toBe(405);
  });

  it('is the same with a trailing slash', async () => {
    const ref = await store();
    expect((await creator.get(`${ref}/`)).json).toEqual((await creator.get(ref)).json);
    expect((await creator.get(`${ref}/payload/`)).text).toBe('hi');
  });

  it('refuses to name a transport key, for there are none', async () => {
    const path = new URL(await store()).pathname;
    expect((await creator.get(`${path}?transport_key_needed=true`)).status).toBe(400);
    expect((await creator.get(`${path}?transport_key_needed=false`)).status).toBe(200);
  });

  it('never takes a right from the query', async () => {
    const ref = await store();
    const stranger = keyManager.as('admin', { project: 'project-2', user: 'user-9' });
    for (const query of [
      'target.secret.read=read',
      'target.secret.project_id=project-2',
      'project_id=project-1',
    ]) {
      expect((await stranger.send('GET', `${new URL(ref).pathname}?${query}`)).status).toBe(403);
      expect((await stranger.send('GET', `${new URL(ref).pathname}/payload?${query}`)).status).toBe(403);
    }
  });
});

describe('DELETE /v1/secrets/{id}', () => {
  it('answers 204 without a body, once', async () => {
    const ref = await store();
    const reply = await creator.delete(ref);
    expect([reply.status, reply.text, reply.headers['content-length']]).toEqual([204, '', undefined]);
    for (const rest of ['', '/payload', '/metadata']) {
      expect((await creator.get(`${ref}${rest}`)).json.description).toBe('Secret not found.');
    }
    expect((await creator.delete(ref)).status).toBe(404);
    expect((await creator.put(ref, 'x', { headers: { 'content-type': 'text/plain' } })).status).toBe(404);
  });

  it('leaves neither key nor ciphertext in the database', async () => {
    const ref = await store();
    const id = ref.split('/').at(-1);
    const count = async () =>
      (await keyManager.coffer.db.query({ text: 'SELECT FROM secrets WHERE id = $1', values: [id] }))
        .rowCount;
    expect(await count()).toBe(1);
    await creator.delete(ref);
    expect(await count()).toBe(0);
  });

  it.each([
    ['1.0', 'bogus', 204],
    ['1.1', '', 204],
    ['1.2', 'true', 204],
    ['1.2', 'YES', 204],
    ['1.2', 'off', 204],
    ['1.2', '', 400],
    ['1.2', 'bogus', 400],
  ])('at %s with force=%s answers %i', async (version, force, status) => {
    const path = new URL(await store()).pathname;
    const reply = await creator.send('DELETE', `${path}?force=${force}`, { version });
    expect(reply.status).toBe(status);
    if (status === 400) expect(reply.json.description).toBe('URI provided invalid query string parameters.');
  });

  it('tolerates any type that is asked for', async () => {
    for (const accept of ['application/json', 'text/plain', '*/*']) {
      expect((await creator.delete(await store(), { headers: { accept } })).status).toBe(204);
    }
  });
});

describe('a secret at its end', () => {
  it('is not there any more: by the clock of the server', async () => {
    const expiration = new Date(Date.now() + 60_000).toISOString();
    const ref = await store({ ...TEXT, name: 'ending', expiration });
    expect((await creator.get(ref)).status).toBe(200);
    keyManager.clock.offsetMilliseconds = 60_000;
    try {
      for (const [method, rest] of [
        ['GET', ''],
        ['GET', '/payload'],
        ['GET', '/metadata'],
        ['PUT', '/metadata/k'],
        ['PUT', ''],
        ['DELETE', ''],
      ] as const) {
        const reply = await creator.send(method, `${ref}${rest}`);
        expect([reply.status, reply.json.description]).toEqual([404, 'Secret not found.']);
      }
      expect((await creator.get('/v1/secrets?name=ending')).json.secrets).toEqual([]);
    } finally {
      keyManager.clock.offsetMilliseconds = 0;
    }
  });

  it('is not there any more: by the clock of the database', async () => {
    const endingIn = async (milliseconds: number): Promise<string> => {
      const expiration = new Date(Date.now() + milliseconds).toISOString();
      return await store({ ...TEXT, name: 'ending-2', expiration });
    };
    keyManager.clock.offsetMilliseconds = -120_000;
    try {
      const [ref, lasting] = [await endingIn(-60_000), await endingIn(60_000)];
      for (const rest of ['', '/payload']) {
        expect((await creator.get(`${ref}${rest}`)).status).toBe(404);
        expect((await creator.get(`${lasting}${rest}`)).status).toBe(200);
      }
      const bounded = '/v1/secrets?name=ending-2&expiration=gt:2020-01-01';
      for (const path of ['/v1/secrets?name=ending-2', bounded]) {
        const { secrets, total } = (await creator.get(path)).json;
        expect([secrets, total]).toEqual([[expect.objectContaining({ secret_ref: lasting })], 1]);
      }
    } finally {
      keyManager.clock.offsetMilliseconds = 0;
    }
  });
});
