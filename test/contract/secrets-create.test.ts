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

const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const TEXT = { payload: 'hi', payload_content_type: 'text/plain' };

describe('POST /v1/secrets', () => {
  it('answers 201 with one reference, in the body and in Location, without a trailing slash', async () => {
    const reply = await creator.post('/v1/secrets/', { name: 'a', ...TEXT, payload: ' hi ' });
    expect(reply.status).toBe(201);
    expect(Object.keys(reply.json)).toEqual(['secret_ref']);
    expect(reply.headers.location).toBe(reply.json.secret_ref);
    expect(reply.headers['content-type']).toBe('application/json');
    expect(reply.headers['openstack-api-version']).toBe('key-manager 1.0');
    expect(reply.headers['x-openstack-request-id']).toMatch(/^req-/);
    const [base, id] = reply.json.secret_ref.split('/v1/secrets/');
    expect(base).toBe(keyManager.publicUrl);
    expect(id).toMatch(UUID4);
  });

  it('never takes a reference from the Host header', async () => {
    const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'ftp' };
    const reply = await creator.post('/v1/secrets', {}, { headers });
    expect(reply.json.secret_ref.startsWith(`${keyManager.publicUrl}/v1/secrets/`)).toBe(true);
  });

  it('stores the stripped text, under both paths and any number of slashes', async () => {
    for (const path of ['/v1/secrets', '/v1/secrets/', '//v1/secrets', '/v1//secrets//']) {
      const { json } = await creator.post(path, { ...TEXT, payload: ' \thé😀 \n' });
      expect((await creator.get(`${json.secret_ref}/payload`)).text).toBe('hé😀');
    }
  });

  it('shows the secret with exactly the keys that clients know', async () => {
    const body = {
      name: ' demo ',
      secret_type: 'symmetric',
      algorithm: 'aes',
      bit_length: 256.0,
      mode: 'cbc',
      expiration: '2130-02-28T12:14:44.180394-05:00',
      payload: 'AP8Q',
      payload_content_type: 'application/octet-stream',
      payload_content_encoding: 'base64',
      status: 'ERROR',
      id: 'x',
      creator_id: 'someone else',
      project_id: 'elsewhere',
    };
    const { json } = await creator.post('/v1/secrets', body);
    const secret = (await creator.get(json.secret_ref)).json;
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?$/);
    expect(secret).toEqual({
      created: time,
      updated: time,
      status: 'ACTIVE',
      name: 'demo',
      secret_type: 'symmetric',
      expiration: '2130-02-28T17:14:44.180000',
      algorithm: 'aes',
      bit_length: 256,
      mode: 'cbc',
      creator_id: 'user-1',
      content_types: { default: 'application/octet-stream' },
      secret_ref: json.secret_ref,
    });
    const newer = (await creator.get(json.secret_ref, { version: '1.1' })).json;
    expect(newer).toEqual({ ...secret, consumers: [] });
    const keys = Object.keys(newer);
    expect(keys.slice(keys.indexOf('creator_id'))).toEqual([
      'creator_id',
      'consumers',
      'content_types',
      'secret_ref',
    ]);
  });

  it('stores a secret without a payload, and shows no content types', async () => {
    const { status, json } = await creator.post('/v1/secrets', {});
    expect(status).toBe(201);
    const secret = (await creator.get(json.secret_ref)).json;
    expect(secret).not.toHaveProperty('content_types');
    expect(secret).toMatchObject({ name: null, secret_type: 'opaque', bit_length: null, expiration: null });
  });

  it.each(['symmetric', 'passphrase', 'private', 'public', 'certificate', 'opaque'])(
    'takes the type %s with any payload',
    async (secret_type) => {
      const { json } = await creator.post('/v1/secrets', { ...TEXT, secret_type });
      expect((await creator.get(json.secret_ref)).json.secret_type).toBe(secret_type);
    },
  );

  it.each([
    ['application/json;charset=utf-8', 201],
    [undefined, 415],
    ['', 415],
    ['text/plain', 415],
    ['application/octet-stream', 415],
    ['application/JSON', 415],
    ['application/jsonx', 415],
  ])('with the Content-Type %j answers %i', async (type, status) => {
    const reply = await creator.post('/v1/secrets', {}, { headers: { 'content-type': type } });
    expect(reply.status).toBe(status);
    if (status === 415) {
      expect(reply.json).toEqual({
        code: 415,
        title: 'Unsupported Media Type',
        description: "Unexpected content type. Expected content types are: ['application/json']",
      });
    }
  });

  it.each([
    ['nothing', ''],
    ['half an object', '{"name":'],
    ['a byte order mark', '\ufeff{}'],
    ['half a surrogate pair', '{"name":"\\ud800"}'],
    ['the key __proto__', '{"__proto__":{}}'],
    ['more than 25,000 bytes', JSON.stringify({ name: 'x', ignored: 'x'.repeat(25_000) })],
  ])('calls a body malformed that is %s', async (_name, body) => {
    const reply = await creator.post('/v1/secrets', body, {
      headers: { 'content-type': 'application/json' },
    });
    expect([reply.status, reply.json.description]).toEqual([400, 'Malformed JSON']);
  });

  it('refuses bytes that are not UTF-8', async () => {
    const body = Buffer.from('{"name":"\xff"}', 'latin1');
    const reply = await creator.post('/v1/secrets', body, {
      headers: { 'content-type': 'application/json' },
    });
    expect([reply.status, reply.json.description]).toEqual([400, '']);
  });

  it.each<[string, unknown]>([
    ["[] is not of type 'object'", []],
    ["5 is not of type 'string', 'null'", { name: 5 }],
    ["'bogus' is not one of ['symmetric'", { secret_type: 'bogus' }],
    ["If 'payload' specified, must be non empty", { ...TEXT, payload: '  ' }],
    ["'application/octet-stream', 'application/pkcs8']", { ...TEXT, payload_content_type: 'text/foo' }],
    ["'expiration' is before current time", { expiration: '2020-01-01' }],
    ["Invalid date for 'expiration'", { expiration: '2130-02-30' }],
    ['Provided transport key was not found', { ...TEXT, transport_key_id: 'x' }],
    ['Transport keys are not supported', { transport_key_needed: 'true' }],
  ])('refuses with 400: %s', async (text, body) => {
    const reply = await creator.post('/v1/secrets', body);
    expect(reply.status).toBe(400);
    expect(reply.json).toMatchObject({ code: 400, title: 'Bad Request' });
    if (!Array.isArray(body)) expect(reply.json.description).toContain(text);
    else expect(reply.json.description).toContain("Invalid property: 'None'");
  });

  it('keeps a NUL in a text payload, and refuses it in every other field by the name of that', async () => {
    const { status, json } = await creator.post('/v1/secrets', { ...TEXT, payload: 'a\0b\0' });
    expect(status).toBe(201);
    expect((await creator.get(`${json.secret_ref}/payload`)).text).toBe('a\0b\0');
    for (const body of [
      { name: 'a\0' },
      { algorithm: '\0' },
      { mode: 'c\0bc' },
      { secret_type: 'opaque\0' },
      { expiration: '2099-01-01\0' },
      { ...TEXT, payload_content_type: 'text/plain\0' },
      {
        payload: 'YQ\0==',
        payload_content_type: 'application/octet-stream',
        payload_content_encoding: 'base64',
      },
      { ...TEXT, payload_content_encoding: 'base64\0' },
      { ...TEXT, transport_key_id: '\0' },
      { transport_key_needed: 'true\0' },
    ]) {
      const reply = await creator.post('/v1/secrets', body);
      expect([reply.status, reply.json.title], JSON.stringify(body)).toEqual([400, 'Bad Request']);
      expect(reply.json.description).not.toBe('Malformed JSON');
    }
    expect((await creator.post('/v1/secrets', { name: 'a\0' })).json.description).toBe(
      "Provided object does not match schema 'Secret': a character that cannot be stored was found. " +
        "Invalid property: 'name'",
    );
  });

  it('takes 20,000 bytes of text and refuses one more', async () => {
    const { status, json } = await creator.post('/v1/secrets', { ...TEXT, payload: 'x'.repeat(20_000) });
    expect(status).toBe(201);
    expect((await creator.get(`${json.secret_ref}/payload`)).bytes.length).toBe(20_000);
    const larger = await creator.post('/v1/secrets', { ...TEXT, payload: 'x'.repeat(20_001) });
    expect(larger.status).toBe(413);
    expect(larger.json.description).toBe('Provided information too large to process');
  });

  it('asks for rights before it looks at the body', async () => {
    const refused = await keyManager.as('observer').post('/v1/secrets', 'garbage');
    expect(refused.status).toBe(403);
    expect(refused.json.description).toBe(
      'Secret creation attempt not allowed - please review your user/project privileges',
    );
    expect((await keyManager.stranger().post('/v1/secrets', 'garbage')).status).toBe(401);
  });

  it('answers 405 to methods that the collection does not know, and names those that it does', async () => {
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      const reply = await creator.send(method, '/v1/secrets', { headers: { accept: 'application/json' } });
      expect(reply.json).toEqual({ code: 405, title: 'Method Not Allowed', description: '' });
      expect(String(reply.headers.allow).split(', ').sort()).toEqual(['GET', 'POST']);
    }
  });
});
