import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { rounds } from '../harness/rounds.ts';
import { type KeyManager, startKeyManager } from './key-manager.ts';
import type { Client, Reply } from './raw-http.ts';

let keyManager: KeyManager;
let creator: Client;
let ref: string;
beforeAll(async () => {
  keyManager = await startKeyManager();
  creator = keyManager.as('creator');
  ref = (await creator.post('/v1/secrets', { payload: 'hi', payload_content_type: 'text/plain' })).json
    .secret_ref;
  await creator.put(`${ref}/metadata`, { metadata: { env: 'prod' } });
});
afterAll(async () => await keyManager.stop());

const runs = { numRuns: rounds(2_000) };
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '%',
    '_',
    '\\',
    "'",
    '"',
    '\0',
    '\ud800',
    '%00',
    '%ff',
    '../..',
    '',
    ' ',
    '\u202e',
    '__proto__',
  ),
  fc.constantFrom('gt:', 'lte:2030-01-01', '2030-02-30', 'name:desc', 'base64', 'text/plain', '1e400', '-0'),
  fc.string({ unit: 'grapheme', minLength: 250, maxLength: 400 }),
);
const value = fc.oneof(hostile, fc.jsonValue(), fc.double(), fc.bigInt().map(Number));

function expectAnswer(reply: Reply): void {
  expect(reply.status).toBeLessThan(500);
  if (reply.status < 400) return;
  expect(Object.keys(reply.json)).toEqual(['code', 'title', 'description']);
  expect(reply.json.code).toBe(reply.status);
}
const encode = (text: string) => encodeURIComponent(text.toWellFormed());

it('answers every creation with 201 or a refusal', async () => {
  const fields = fc.constantFrom(
    'name',
    'algorithm',
    'mode',
    'bit_length',
    'secret_type',
    'expiration',
    'payload',
    'payload_content_type',
    'payload_content_encoding',
    'transport_key_id',
    '__proto__',
  );
  const body = fc.oneof(fc.dictionary(fields, value), fc.jsonValue());
  await fc.assert(
    fc.asyncProperty(body, async (json) => {
      const reply = await creator.post('/v1/secrets', JSON.stringify(json) ?? 'null', {
        headers: { 'content-type': 'application/json' },
      });
      expectAnswer(reply);
    }),
    runs,
  );
});

it('answers every query of the list with a page or a refusal', async () => {
  const key = fc.constantFrom(
    'name',
    'alg',
    'mode',
    'bits',
    'secret_type',
    'created',
    'updated',
    'expiration',
    'sort',
    'limit',
    'offset',
    'acl_only',
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(key, hostile), { maxLength: 4 }), async (pairs) => {
      const query = pairs.map(([name, text]) => `${name}=${encode(text)}`).join('&');
      expectAnswer(await creator.get(`/v1/secrets?${query}`));
    }),
    runs,
  );
});

it('answers every change of metadata with success or a refusal', async () => {
  const set = fc.dictionary(hostile, value, { maxKeys: 4 });
  const item = fc.record({ key: value, value }, { requiredKeys: [] });
  await fc.assert(
    fc.asyncProperty(set, item, hostile, async (metadata, metadatum, key) => {
      const path = `${ref}/metadata/${encode(key).replace(/^\.{1,2}$/, '')}`;
      expectAnswer(await creator.put(`${ref}/metadata`, { metadata }));
      expectAnswer(await creator.post(`${ref}/metadata`, metadatum));
      expectAnswer(await creator.put(path, metadatum));
      expectAnswer(await creator.get(path));
      expectAnswer(await creator.delete(path));
    }),
    { numRuns: rounds(500) },
  );
});

it('answers every upload and every Accept with success or a refusal', async () => {
  const header = fc.oneof(
    fc.constantFrom('text/plain', 'application/octet-stream', 'base64', '*/*', 'a/b;q=x', ';', ',,', '*'),
    fc.stringMatching(/^[ -~]{0,60}$/),
  );
  const bytes = fc.uint8Array({ maxLength: 100 });
  await fc.assert(
    fc.asyncProperty(header, header, header, bytes, async (type, encoding, accept, body) => {
      const bare = (await creator.post('/v1/secrets', {})).json.secret_ref;
      const headers = { 'content-type': type, 'content-encoding': encoding };
      expectAnswer(await creator.put(bare, body, { headers }));
      for (const path of [ref, `${ref}/payload`, `${ref}/metadata`, bare, `${bare}/payload`]) {
        expectAnswer(await creator.get(path, { headers: { accept } }));
      }
    }),
    { numRuns: rounds(500) },
  );
});
