import { createPrivateKey, createPublicKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { finished, KEY, type Meta, order, submit } from './orders-stage.ts';

let coffer: StartedCoffer;
let person: Person;
beforeAll(async () => {
  coffer = await startCoffer();
  person = await coffer.person(['creator', 'admin'], 'orders');
});
afterAll(async () => await coffer.stop());

describe('a key order', () => {
  it('ends as an order with exactly the keys that clients know, and meta as it was sent', async () => {
    const sent = { ...KEY, algorithm: 'AES', payload_content_type: 'application/octet-stream' };
    const made = await order(person, 'key', { ...sent, name: '  stripped ' });
    expect(Object.keys(made)).toEqual([
      'created',
      'updated',
      'status',
      'type',
      'meta',
      'sub_status',
      'sub_status_message',
      'creator_id',
      'secret_ref',
      'order_ref',
    ]);
    expect(made).toMatchObject({
      status: 'ACTIVE',
      type: 'key',
      meta: { ...sent, name: 'stripped', expiration: null },
      sub_status: 'Unknown',
      sub_status_message: 'Unknown',
      creator_id: person.userId,
    });
    expect(made.created).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
  });

  it('makes a symmetric secret with what meta says, whatever type it asks for', async () => {
    const expiration = '2099-01-01T00:00:00+02:00';
    const made = await order(person, 'key', { ...KEY, secret_type: 'opaque', expiration });
    const secret = (await person.client.get(String(made.secret_ref))).json as Meta;
    expect(secret).toMatchObject({
      name: 'k',
      secret_type: 'symmetric',
      algorithm: 'aes',
      bit_length: 256,
      mode: 'cbc',
      expiration: '2098-12-31T22:00:00.000000',
      creator_id: person.userId,
      content_types: { default: 'application/octet-stream' },
    });
    expect((made.meta as Meta).expiration).toBe('2098-12-31T22:00:00.000000');
    const payload = await person.client.get(`${String(made.secret_ref)}/payload`);
    expect([payload.status, payload.bytes.length]).toEqual([200, 32]);
  });

  it('has names null where none was given, keeps unknown keys, and strips every text', async () => {
    const { meta } = await order(person, 'key', {
      algorithm: 'hmacsha256',
      bit_length: 256,
      'x-own': { deep: [' a ', 1, true, null] },
    });
    expect(meta).toEqual({
      algorithm: 'hmacsha256',
      bit_length: 256,
      'x-own': { deep: ['a', 1, true, null] },
      name: null,
      expiration: null,
    });
  });

  it('stores the content type in its normal form', async () => {
    for (const [given, stored] of [
      ['text/plain; charset=utf-8', 'text/plain'],
      ['application/pkcs8', 'application/pkcs8'],
      ['', 'application/octet-stream'],
    ]) {
      const made = await order(person, 'key', { ...KEY, payload_content_type: given });
      const secret = (await person.client.get(String(made.secret_ref))).json as Meta;
      expect(secret.content_types).toEqual({ default: stored });
    }
  });

  it.each([
    ['aes', 64, undefined],
    ['AES', 128, 'cbc'],
    ['des', 192, undefined],
    ['hmacsha1', 128, undefined],
    ['hmacsha384', 256, undefined],
    ['hmacsha512', 64, undefined],
    ['aes', 512, 'XTS'],
    ['aes', 256, 'xts'],
  ])('makes %s keys of %i bits (mode %s)', async (algorithm, bits, mode) => {
    const made = await order(person, 'key', { algorithm, bit_length: bits, ...(mode && { mode }) });
    expect(made.status).toBe('ACTIVE');
    const payload = await person.client.get(`${String(made.secret_ref)}/payload`);
    expect(payload.bytes.length * 8).toBe(bits);
  });

  const failure = 'Process TypeOrder failure seen - please contact site administrator.';
  const unknown = 'Process TypeOrder issue seen - Secret generate supported plugin not found..';
  const unsupported = 'Process TypeOrder issue seen - Requested algorithm is not supported..';
  it.each([
    ['key', { algorithm: 'aes', bit_length: 512 }, '500', failure],
    ['key', { algorithm: 'aes', bit_length: 64, mode: 'xts' }, '500', failure],
    ['key', { algorithm: 'aes', bit_length: 72 }, '500', failure],
    ['key', { ...KEY, payload_content_type: null }, '500', failure],
    ['key', { algorithm: '3des', bit_length: 192 }, '400', unknown],
    ['key', { algorithm: 'constructor', bit_length: 192 }, '400', unknown],
    ['key', { algorithm: 'desede', bit_length: 192 }, '400', unsupported],
    ['key', { algorithm: 'rsa', bit_length: 2048 }, '400', unsupported],
    ['asymmetric', { algorithm: 'rsa', bit_length: 3072 }, '500', failure],
    ['asymmetric', { algorithm: 'rsa', bit_length: 1000 }, '500', failure],
    ['asymmetric', { algorithm: 'rsa', bit_length: 16_384 }, '500', failure],
    ['asymmetric', { algorithm: 'dsa', bit_length: 3072 }, '500', failure],
    ['asymmetric', { algorithm: 'ec', bit_length: 512 }, '500', failure],
    ['asymmetric', { algorithm: 'aes', bit_length: 256 }, '400', unsupported],
    ['asymmetric', { algorithm: 'diffie_hellman', bit_length: 2048 }, '400', unsupported],
    ['asymmetric', { algorithm: 'nonsense', bit_length: 2048 }, '400', unknown],
  ])('of type %s for %o ends in ERROR %s', async (type, meta, code, reason) => {
    const made = await order(person, type, meta);
    expect(made).toMatchObject({ status: 'ERROR', error_status_code: code, error_reason: reason });
    expect(Object.keys(made)).not.toContain('sub_status');
    expect(made.secret_ref ?? made.container_ref).toBeUndefined();
  });
});

describe('an asymmetric order', () => {
  const read = async (reference: unknown): Promise<Buffer> => {
    const reply = await person.client.get(`${String(reference)}/payload`);
    expect(reply.status, reply.text).toBe(200);
    return reply.bytes;
  };

  async function container(made: Meta): Promise<{ box: Meta; parts: Map<string, string> }> {
    expect(made).toMatchObject({ status: 'ACTIVE' });
    expect(Object.keys(made).slice(-2)).toEqual(['order_ref', 'container_ref']);
    const box = (await person.client.get(String(made.container_ref))).json as Meta;
    const slots = box.secret_refs as { name: string; secret_ref: string }[];
    return { box, parts: new Map(slots.map(({ name, secret_ref }) => [name, secret_ref])) };
  }

  it('makes an rsa container with a pair in PEM, named after meta', async () => {
    const made = await order(person, 'asymmetric', { name: 'pair', algorithm: 'RSA', bit_length: 2048 });
    const { box, parts } = await container(made);
    expect(box).toMatchObject({ type: 'rsa', name: 'pair', status: 'ACTIVE', creator_id: person.userId });
    expect([...parts.keys()].sort()).toEqual(['private_key', 'public_key']);
    const privateKey = createPrivateKey(await read(parts.get('private_key')));
    const publicKey = await read(parts.get('public_key'));
    expect(privateKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
    expect(createPublicKey(privateKey).export({ type: 'spki', format: 'pem' })).toBe(publicKey.toString());
    const secret = (await person.client.get(parts.get('private_key') ?? '')).json as Meta;
    expect(secret).toMatchObject({
      name: 'pair',
      secret_type: 'private',
      algorithm: 'RSA',
      bit_length: 2048,
    });
    expect((await person.client.get(parts.get('public_key') ?? '')).json.secret_type).toBe('public');
  });

  it.each(['passphrase', 'pass_phrase'])(
    'encrypts the private key under %s, and never shows it',
    async (field) => {
      const word = 'canary pass phrase';
      const meta = { algorithm: 'rsa', bit_length: 1024, [field]: ` ${word} ` };
      const reply = await submit(person, 'asymmetric', meta);
      const pending = await person.client.get(String(reply.json.order_ref));
      const made = await finished(person, reply.json.order_ref);
      const list = await person.client.get('/v1/orders?limit=100');
      for (const shown of [pending.text, JSON.stringify(made), list.text]) {
        expect(shown).not.toContain('canary');
        expect(shown).not.toContain(field);
      }
      const { box, parts } = await container(made);
      expect(box.type).toBe('rsa');
      expect((await read(parts.get('private_key_passphrase'))).toString()).toBe(word);
      const secret = (await person.client.get(parts.get('private_key_passphrase') ?? '')).json as Meta;
      expect(secret).toMatchObject({ secret_type: 'passphrase', content_types: { default: 'text/plain' } });
      const key = (await read(parts.get('private_key'))).toString();
      expect(key).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
      createPrivateKey({ key, passphrase: word });
    },
  );

  it('keeps the passphrase sealed while it waits, and nothing of it in the order afterwards', async () => {
    const { rows } = await coffer.installation.db.query({
      text: 'SELECT 1 FROM orders WHERE dek IS NOT NULL OR payload_head IS NOT NULL OR payload_body IS NOT NULL',
    });
    expect(rows).toEqual([]);
  });

  it('makes DSA pairs in DER, in a container of type dsa', async () => {
    const made = await order(person, 'asymmetric', { algorithm: 'dsa', bit_length: 1024 });
    const { box, parts } = await container(made);
    expect([box.type, box.name]).toEqual(['dsa', null]);
    const key = await read(parts.get('private_key'));
    expect(createPrivateKey({ key, format: 'der', type: 'pkcs8' }).asymmetricKeyType).toBe('dsa');
    createPublicKey({ key: await read(parts.get('public_key')), format: 'der', type: 'spki' });
  });

  it.each([
    ['ec', 256],
    ['EC', 384],
    ['ed25519', 256],
  ])('makes %s pairs of %i bits, in a generic container', async (algorithm, bits) => {
    const { box, parts } = await container(
      await order(person, 'asymmetric', { algorithm, bit_length: bits }),
    );
    expect([box.type, [...parts.keys()].sort()]).toEqual(['generic', ['private_key', 'public_key']]);
    const key = createPrivateKey(await read(parts.get('private_key')));
    expect(key.asymmetricKeyType).toBe(algorithm.toLowerCase());
  });
});
