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

const OCTETS = 'application/octet-stream';
const BYTES = Buffer.from([0, 255, 1, 254, 13, 10]);
const store = async (body: object = {}): Promise<string> =>
  (await creator.post('/v1/secrets', body)).json.secret_ref;
const storeText = async () => await store({ payload: 'né', payload_content_type: 'text/plain' });
const storeBytes = async (type = OCTETS) =>
  await store({
    payload: BYTES.toString('base64'),
    payload_content_type: type,
    payload_content_encoding: 'base64',
  });
const upload = async (ref: string, body: string | Uint8Array, type?: string, encoding?: string) =>
  await creator.put(ref, body, { headers: { 'content-type': type, 'content-encoding': encoding } });

describe('GET /v1/secrets/{id}/payload', () => {
  it.each([
    [undefined, OCTETS],
    ['', OCTETS],
    ['*/*', 'text/plain; charset=UTF-8'],
    ['text/plain', 'text/plain; charset=UTF-8'],
    ['TEXT/PLAIN', 'text/plain; charset=UTF-8'],
    ['text/plain;charset=utf-8', 'text/plain;charset=utf-8'],
    ['text/plain; charset=utf-8', 'text/plain; charset=utf-8'],
    [OCTETS, OCTETS],
    ['application/pkcs8', 'application/pkcs8'],
  ])('gives text to who accepts %j as %s', async (accept, type) => {
    const reply = await creator.get(`${await storeText()}/payload`, { headers: { accept } });
    expect([reply.status, reply.headers['content-type'], reply.text]).toEqual([200, type, 'né']);
    expect(reply.headers['cache-control']).toBe('no-store');
  });

  it.each([
    [undefined, OCTETS],
    ['*/*', OCTETS],
    [OCTETS, OCTETS],
  ])('gives bytes to who accepts %j as %s', async (accept, type) => {
    const reply = await creator.get(`${await storeBytes()}/payload`, { headers: { accept } });
    expect([reply.status, reply.headers['content-type'], reply.bytes]).toEqual([200, type, BYTES]);
  });

  it('names the type that was stored to who accepts anything', async () => {
    const ref = await storeBytes('application/pkcs8');
    expect((await creator.get(ref)).json.content_types).toEqual({ default: 'application/pkcs8' });
    const reply = await creator.get(`${ref}/payload`, { headers: { accept: '*/*' } });
    expect(reply.headers['content-type']).toBe('application/pkcs8');
  });

  it.each([
    'application/json',
    'text/html',
    'application/json, text/plain, */*',
    'text/plain;q=0.5',
    'text/*',
  ])('is not acceptable as %s', async (accept) => {
    const reply = await creator.get(`${await storeText()}/payload`, { headers: { accept } });
    expect(reply.json).toEqual({
      code: 406,
      title: 'Not Acceptable',
      description: 'Secret payload retrieval issue seen - Wrong payload content-type.',
    });
  });

  it('is text only when it is UTF-8', async () => {
    const accept = 'text/plain';
    expect((await creator.get(`${await storeBytes()}/payload`, { headers: { accept } })).status).toBe(406);
    const ref = await store();
    await upload(ref, Buffer.from('né'), OCTETS);
    expect((await creator.get(`${ref}/payload`, { headers: { accept } })).text).toBe('né');
  });

  it('tells of a missing payload only to who may decrypt', async () => {
    const path = `${await store()}/payload`;
    expect((await creator.get(path)).json.description).toBe(
      'Not Found. Sorry but your secret has no payload.',
    );
    expect((await keyManager.as('audit').get(path)).status).toBe(403);
  });

  it('refuses client-side wrapping where it is asked for', async () => {
    const path = `${new URL(await storeText()).pathname}/payload`;
    const reply = await creator.get(`${path}?trans_wrapped_session_key=x`);
    expect(reply.status).toBe(400);
    expect(reply.json.description).toBe(
      'Transport key wrapped session key has been provided to wrap secrets for retrieval, ' +
        'but the transport key id has not been provided.',
    );
    const unknown = await creator.get(`${path}?trans_wrapped_session_key=x&transport_key_id=y`);
    expect([unknown.status, unknown.json.description]).toEqual([
      400,
      'Secret payload retrieval issue seen - Provided transport key was not found..',
    ]);
    expect((await creator.get(`${path}?transport_key_id=y`)).text).toBe('né');
    expect((await creator.get(`${path}?trans_wrapped_session_key=`)).text).toBe('né');
  });
});

describe('PUT /v1/secrets/{id}', () => {
  it('gives the secret its payload: 204 without a body, and updated moves on', async () => {
    const ref = await store();
    const before = (await creator.get(ref)).json;
    await new Promise((resolve) => setTimeout(resolve, 5));
    const reply = await upload(ref, BYTES, OCTETS);
    expect([reply.status, reply.text, reply.headers['content-length']]).toEqual([204, '', undefined]);
    const after = (await creator.get(ref)).json;
    expect(after.created).toBe(before.created);
    expect(after.updated > before.updated).toBe(true);
    expect(after.content_types).toEqual({ default: OCTETS });
    expect((await creator.get(`${ref}/payload`)).bytes).toEqual(BYTES);
  });

  it.each([
    ['text/plain', undefined, '  né \n', '  né \n'],
    ['text/plain;charset=iso-8859-1', undefined, 'x', 'x'],
    ['text/plain', 'base64', 'aGk=', 'aGk='],
    [OCTETS, 'base64', 'aGk=', 'hi'],
    [OCTETS, 'BASE64', 'aG\r\nk=\n', 'hi'],
    [OCTETS, undefined, 'aGk=', 'aGk='],
  ])('as %s in the encoding %s stores %j as %j', async (type, encoding, body, stored) => {
    const ref = await store();
    expect((await upload(ref, body, type, encoding)).status).toBe(204);
    expect((await creator.get(`${ref}/payload`)).text).toBe(stored);
    expect((await creator.get(ref)).json.content_types).toEqual({ default: type.split(';')[0] });
  });

  it.each([undefined, 'application/json', 'application/pkcs8', 'text/html'])(
    'answers 415 to the Content-Type %s',
    async (type) => {
      const reply = await upload(await store(), '{}', type);
      expect([reply.status, reply.json.description]).toEqual([
        415,
        "Unexpected content type. Expected content types are: ['application/octet-stream', 'text/plain']",
      ]);
    },
  );

  it('answers 400 to nothing, also when the length is not told', async () => {
    const ref = await store();
    const text = 'Secret update issue seen - No data supplied to process..';
    expect((await upload(ref, '', 'text/plain')).json.description).toBe(text);
    const reply = await creator.send('PUT', ref, { headers: { 'content-type': 'text/plain' } });
    expect([reply.status, reply.json.description]).toEqual([400, text]);
  });

  it('takes 20,000 bytes and answers 413 to more', async () => {
    const ref = await store();
    for (const size of [20_001, 30_000, 200_000]) {
      const reply = await upload(ref, Buffer.alloc(size, 1), OCTETS);
      expect([reply.status, reply.json.description]).toEqual([
        413,
        'Secret update issue seen - Provided information too large to process.',
      ]);
    }
    expect((await upload(ref, Buffer.alloc(20_000, 1), OCTETS)).status).toBe(204);
    expect((await creator.get(`${ref}/payload`)).bytes.equals(Buffer.alloc(20_000, 1))).toBe(true);
  });

  it('answers 409 to a second payload and keeps the first', async () => {
    for (const ref of [await storeText(), await store()]) {
      await upload(ref, 'first', 'text/plain');
      const first = (await creator.get(`${ref}/payload`)).text;
      const reply = await upload(ref, 'second', 'text/plain');
      expect([reply.status, reply.json.description]).toEqual([
        409,
        'Secret already has data, cannot modify it.',
      ]);
      expect((await creator.get(`${ref}/payload`)).text).toBe(first);
    }
  });

  it('lets one of many win that come at once', async () => {
    const ref = await store();
    const texts = Array.from({ length: 8 }, (_, index) => `payload ${index}`);
    const replies = await Promise.all(texts.map(async (text) => await upload(ref, text, 'text/plain')));
    expect(replies.filter(({ status }) => status === 409).length).toBe(7);
    const won = texts[replies.findIndex(({ status }) => status === 204)];
    expect((await creator.get(`${ref}/payload`)).text).toBe(won);
  });

  it('keeps its bytes while metadata changes at the same time', async () => {
    const ref = await store();
    const changes = Array.from({ length: 4 }, (_, index) =>
      creator.post(`${ref}/metadata`, { key: `k${index}`, value: 'v' }),
    );
    const [uploaded] = await Promise.all([upload(ref, 'kept', 'text/plain'), ...changes]);
    if (uploaded.status === 204) expect((await creator.get(`${ref}/payload`)).text).toBe('kept');
    else expect(uploaded.status).toBe(503);
  });

  it.each([
    [OCTETS, 'base64', 'aGk', 'Problem decoding payload.'],
    [OCTETS, 'base64', '!!!!', 'Problem decoding payload.'],
    [OCTETS, 'gzip', 'x', "Text-based binary secret payloads must specify a content-encoding of 'base64'."],
  ])('as %s in the encoding %s answers 400 to %j', async (type, encoding, body, text) => {
    const reply = await upload(await store(), body, type, encoding);
    expect([reply.status, reply.json.description]).toEqual([400, `Secret update issue seen - ${text}`]);
  });

  it('answers 400 to a transport key', async () => {
    const path = `${new URL(await store()).pathname}?transport_key_id=x`;
    const reply = await upload(path, 'x', 'text/plain');
    expect([reply.status, reply.json.description]).toEqual([
      400,
      'Secret update issue seen - Provided transport key was not found..',
    ]);
  });

  it('asks for rights before it looks at anything else', async () => {
    const ref = await store();
    const reply = await keyManager.as('observer').put(ref, '');
    expect([reply.status, reply.json.description]).toEqual([
      403,
      'Secret update attempt not allowed - please review your user/project privileges',
    ]);
  });
});
