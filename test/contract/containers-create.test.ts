import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type KeyManager, startKeyManager } from './key-manager.ts';
import type { Client, Reply } from './raw-http.ts';

let keyManager: KeyManager;
let creator: Client;
let one: string;
let two: string;
let three: string;
beforeAll(async () => {
  keyManager = await startKeyManager();
  creator = keyManager.as('creator');
});
afterAll(async () => await keyManager.stop());
beforeEach(async () => {
  [one, two, three] = await Promise.all([store(), store(), store()]);
});

async function store(client = creator, body: object = {}): Promise<string> {
  return (await client.post('/v1/secrets', body)).json.secret_ref;
}
const idOf = (ref: string): string => ref.slice(-36);
const make = async (body: unknown): Promise<Reply> => await creator.post('/v1/containers', body);
const slot = (name: string | null | undefined, ref: string) => ({ name, secret_ref: ref });
const mismatch = (reason: string, property = 'secret_refs') =>
  `Provided object does not match schema 'Container': ${reason}. Invalid property: '${property}'`;

async function expectRefusal(body: unknown, status: number, description: string): Promise<void> {
  const before = (await creator.get('/v1/containers')).json.total;
  const reply = await make(body);
  expect([reply.status, reply.json.description]).toEqual([status, description]);
  expect((await creator.get('/v1/containers')).json.total).toBe(before);
}

describe('making a container', () => {
  it('answers 201 with its reference, which has no slash at its end, and reads back as it was sent', async () => {
    const refs = [slot('one', one), slot('two', two)];
    const reply = await creator.post('/v1/containers/', { type: 'generic', name: 'box', secret_refs: refs });
    expect(reply.status).toBe(201);
    const ref = reply.json.container_ref as string;
    expect(reply.json).toEqual({ container_ref: ref });
    expect(reply.headers.location).toBe(ref);
    expect(ref).toMatch(/^https:\/\/kms\.example:9311\/v1\/containers\/[0-9a-f-]{36}$/);
    const { json } = await creator.get(ref);
    expect(json).toEqual({
      created: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/),
      updated: json.created,
      status: 'ACTIVE',
      name: 'box',
      type: 'generic',
      creator_id: 'user-1',
      secret_refs: refs,
      consumers: [],
      container_ref: ref,
    });
  });

  it.each(['generic', 'rsa', 'certificate'])('lets a %s container be empty', async (type) => {
    for (const body of [{ type }, { type, secret_refs: [] }, { type, name: null }, { type, name: '' }]) {
      const reply = await make(body);
      expect(reply.status).toBe(201);
      const { json } = await creator.get(reply.json.container_ref);
      expect([json.type, json.secret_refs, json.name]).toEqual([type, [], 'name' in body ? body.name : null]);
    }
  });

  it('ignores fields that it does not know, and whose id is told in the body', async () => {
    const reply = await make({ type: 'generic', creator_id: 'somebody else', status: 'ERROR', x: { y: 1 } });
    expect((await creator.get(reply.json.container_ref)).json).toMatchObject({
      creator_id: 'user-1',
      status: 'ACTIVE',
    });
  });

  it('strips white space around every text', async () => {
    const reply = await make({ type: ' generic ', name: ' a ', secret_refs: [slot(' b ', ` ${one} `)] });
    const { json } = await creator.get(reply.json.container_ref);
    expect([json.name, json.secret_refs]).toEqual(['a', [slot('b', one)]]);
  });

  it('takes one secret without a name, and shows it with null', async () => {
    for (const nameless of [{ secret_ref: one }, slot(null, one)]) {
      const reply = await make({ type: 'generic', secret_refs: [nameless, slot('x', two)] });
      const { json } = await creator.get(reply.json.container_ref);
      expect(json.secret_refs).toEqual([slot(null, one), slot('x', two)]);
    }
  });

  it('takes names of 255 characters and of any script', async () => {
    for (const name of ['☂'.repeat(255), 'a'.repeat(255), '💥 x']) {
      const reply = await make({ type: 'generic', name, secret_refs: [slot(name, one)] });
      expect(reply.status).toBe(201);
      const { json } = await creator.get(reply.json.container_ref);
      expect([json.name, json.secret_refs[0].name]).toEqual([name, name]);
    }
  });
});

describe('a reference', () => {
  it.each([
    ['of the public URL', (id: string) => `https://kms.example:9311/v1/secrets/${id}`],
    ['with a slash at its end', (id: string) => `https://kms.example:9311/v1/secrets/${id}/`],
    ['of a former address', (id: string) => `http://old.example/key-manager/v1/secrets/${id}`],
    ['that is a bare id', (id: string) => id],
  ])('%s is accepted, and shown under the public URL', async (_, write) => {
    const reply = await make({ type: 'generic', secret_refs: [slot('x', write(idOf(one)))] });
    expect(reply.status).toBe(201);
    expect((await creator.get(reply.json.container_ref)).json.secret_refs).toEqual([slot('x', one)]);
  });

  it.each([
    ['of another service', (id: string) => `https://elsewhere.example/v1/secrets/${id}`],
    ['over another scheme', (id: string) => `http://kms.example:9311/v1/secrets/${id}`],
    ['to another collection', (id: string) => `https://kms.example:9311/v1/containers/${id}`],
    ['that is no URL', () => 'nonsense'],
    ['with a query', (id: string) => `https://kms.example:9311/v1/secrets/${id}?x`],
    ['with an upper-case id', (id: string) => id.toUpperCase()],
  ])('%s is refused', async (_, write) => {
    // Without a letter an id is the same in capitals.
    const id = [one, two, three].map(idOf).find((each) => /[a-f]/.test(each)) ?? '';
    const body = { type: 'generic', secret_refs: [slot('x', write(id))] };
    await expectRefusal(body, 400, 'Provided field value is not supported');
  });
});

describe('a container is refused', () => {
  it.each([
    ['without a type', {}, "'type' is a required property", 'type'],
    ['of no known type', { type: 'x' }, "'x' is not one of ['generic', 'rsa', 'certificate']", 'type'],
    ['of type dsa', { type: 'dsa' }, "'dsa' is not one of ['generic', 'rsa', 'certificate']", 'type'],
    [
      'of a type in capitals',
      { type: 'RSA' },
      "'RSA' is not one of ['generic', 'rsa', 'certificate']",
      'type',
    ],
    ['with a name that is a number', { type: 'rsa', name: 5 }, "5 is not of type 'string', 'null'", 'name'],
    ['with null for a type', { type: null }, "None is not of type 'string'", 'type'],
    [
      'with a name of 256',
      { type: 'rsa', name: 'n'.repeat(256) },
      `'${'n'.repeat(256)}' is too long`,
      'name',
    ],
    ['with null for secrets', { type: 'rsa', secret_refs: null }, "None is not of type 'array'"],
    ['with an object for secrets', { type: 'rsa', secret_refs: {} }, "{} is not of type 'array'"],
    ['with a text for a secret', { type: 'rsa', secret_refs: ['x'] }, "'x' is not of type 'object'"],
    ['without a reference', { type: 'rsa', secret_refs: [{}] }, "'secret_ref' is a required property"],
    ['with an empty reference', { type: 'rsa', secret_refs: [{ secret_ref: '' }] }, "'' is too short"],
    ['with a blank reference', { type: 'rsa', secret_refs: [{ secret_ref: ' ' }] }, "'' is too short"],
    ['with a reference of 5', { type: 'rsa', secret_refs: [{ secret_ref: 5 }] }, "5 is not of type 'string'"],
    [
      'with a slot name of a list',
      { type: 'rsa', secret_refs: [{ name: [], secret_ref: 'x' }] },
      "[] is not of type 'string', 'null'",
    ],
    [
      'with a slot name of 256',
      { type: 'rsa', secret_refs: [{ name: 'n'.repeat(256), secret_ref: 'x' }] },
      `'${'n'.repeat(256)}' is too long`,
    ],
  ])('%s', async (_, body, reason, property = 'secret_refs') => {
    await expectRefusal(body, 400, mismatch(reason, property));
  });

  it.each([
    ['twice one name', () => [slot('x', one), slot('x', two)]],
    ['two secrets without a name', () => [{ secret_ref: one }, { secret_ref: two }]],
    ['an empty name and none', () => [slot('', one), { secret_ref: two }]],
    ['null for a name and none', () => [slot(null, one), { secret_ref: two }]],
    ['names that differ in blanks', () => [slot('x', one), slot(' x ', two)]],
  ])('with %s', async (_, refs) => {
    const body = { type: 'generic', secret_refs: refs() };
    await expectRefusal(body, 400, mismatch('Duplicate reference names are not allowed'));
  });

  it('with one secret under two names, however it is written', async () => {
    for (const again of [
      one,
      `${one}/`,
      idOf(one),
      `http://old.example/key-manager/v1/secrets/${idOf(one)}`,
    ]) {
      const body = { type: 'generic', secret_refs: [slot('x', one), slot('y', again)] };
      await expectRefusal(body, 400, mismatch('Duplicate secret ids are not allowed'));
    }
  });

  const RSA_NAMES =
    "only 'private_key', 'public_key' and 'private_key_passphrase' reference names are allowed for RSA type";
  const RSA_LEAST = "The minimum required reference names are 'public_key' and'private_key' for RSA type";
  const CERTIFICATE_NAMES =
    "only 'private_key', 'certificate' , 'private_key_passphrase',  or 'intermediates' reference names are allowed for Certificate type";
  const CERTIFICATE_LEAST = "The minimum required reference name is 'certificate' for Certificate type";
  it.each([
    ['rsa', ['public_key', 'private_key', 'other'], RSA_NAMES],
    ['rsa', ['public_key', 'private_key', undefined], RSA_NAMES],
    ['rsa', ['public_key', 'Private_Key'], RSA_NAMES],
    ['rsa', ['certificate'], RSA_NAMES],
    ['rsa', ['public_key'], RSA_LEAST],
    ['rsa', ['private_key'], RSA_LEAST],
    ['rsa', ['public_key', 'private_key_passphrase'], RSA_LEAST],
    ['certificate', ['certificate', 'public_key'], CERTIFICATE_NAMES],
    ['certificate', ['certificate', ''], CERTIFICATE_NAMES],
    ['certificate', ['private_key', 'private_key_passphrase', 'intermediates'], CERTIFICATE_LEAST],
    ['certificate', ['private_key'], CERTIFICATE_LEAST],
  ])('of type %s with the names %j', async (type, names, reason) => {
    const refs = names.map((name, index) => slot(name, [one, two, three][index] ?? ''));
    await expectRefusal({ type, secret_refs: refs }, 400, mismatch(reason));
  });

  it('with a secret that its project does not have: unknown, deleted, expired, of another project', async () => {
    const deleted = await store();
    await creator.delete(deleted);
    const foreign = await store(keyManager.as('creator', { project: 'project-2' }));
    const expired = await store(creator, { expiration: new Date(Date.now() + 60_000).toISOString() });
    const unknown = one.replace(idOf(one), randomUUID());
    const noId = one.replace(idOf(one), 'not-an-id');
    keyManager.clock.offsetMilliseconds = 60_000;
    try {
      for (const ref of [deleted, foreign, expired, unknown, noId]) {
        const text = "Secret provided for 'x' doesn't exist.";
        await expectRefusal({ type: 'generic', secret_refs: [slot('ok', one), slot('x', ref)] }, 404, text);
      }
      const nameless = { type: 'generic', secret_refs: [{ secret_ref: unknown }] };
      await expectRefusal(nameless, 404, "Secret provided for 'None' doesn't exist.");
    } finally {
      keyManager.clock.offsetMilliseconds = 0;
    }
  });

  it('for what is wrong first: shape, names, ids, references, slots, existence', async () => {
    const elsewhere = `https://elsewhere.example/v1/secrets/${idOf(one)}`;
    const unknown = randomUUID();
    const refused = async (secret_refs: unknown, type = 'rsa') =>
      (await make({ type, secret_refs })).json.description as string;
    expect(await refused([slot('x', elsewhere), slot('x', elsewhere), 5])).toContain('is not of type');
    expect(await refused([slot('x', elsewhere), slot('x', elsewhere)])).toContain(
      'Duplicate reference names',
    );
    expect(await refused([slot('x', elsewhere), slot('y', elsewhere)])).toContain('Duplicate secret ids');
    expect(await refused([slot('x', elsewhere)])).toBe('Provided field value is not supported');
    expect(await refused([slot('x', unknown)])).toContain("only 'private_key'");
    expect(await refused([slot('x', unknown)], 'generic')).toBe("Secret provided for 'x' doesn't exist.");
  });

  it('for the right before the body, and for the type of the content before the body', async () => {
    expect((await keyManager.as('observer').post('/v1/containers', '{')).status).toBe(403);
    expect((await creator.post('/v1/containers', '{')).status).toBe(415);
    const json = { headers: { 'content-type': 'application/json' } };
    for (const body of ['', '{', '\ufeff{}', '{"type":"generic","name":"\\u0000"}']) {
      const reply = await creator.post('/v1/containers', body, json);
      expect([reply.status, reply.json.description]).toEqual([400, 'Malformed JSON']);
    }
    for (const body of ['[]', '"generic"', 'null', '5']) {
      const reply = await creator.post('/v1/containers', body, json);
      expect([reply.status, reply.json.description]).toEqual([400, expect.stringContaining("'None'")]);
    }
  });

  it('by the quota, after its shape and before its secrets', async () => {
    const quotas = keyManager.coffer.limits.quotas as { containers: number };
    quotas.containers = 0;
    try {
      const text = 'Container creation issue seen - Creation not allowed because a quota has been reached.';
      await expectRefusal({ type: 'generic' }, 403, text);
      await expectRefusal({ type: 'generic', secret_refs: [slot('x', randomUUID())] }, 403, text);
      await expectRefusal({}, 400, mismatch("'type' is a required property", 'type'));
    } finally {
      quotas.containers = -1;
    }
  });
});
