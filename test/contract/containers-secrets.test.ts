import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findContainer } from '../../src/containers/queries.ts';
import { encodeSlots } from '../../src/containers/slots.ts';
import { updateRow } from '../../src/db/sealed.ts';
import { type KeyManager, startKeyManager } from './key-manager.ts';
import type { Client, Reply } from './raw-http.ts';

let keyManager: KeyManager;
let creator: Client;
let box: string;
let one: string;
let two: string;
beforeAll(async () => {
  keyManager = await startKeyManager();
  creator = keyManager.as('creator');
});
afterAll(async () => await keyManager.stop());
beforeEach(async () => {
  [one, two, box] = await Promise.all([store(), store(), make('generic')]);
});

async function store(client = creator, body: object = {}): Promise<string> {
  return (await client.post('/v1/secrets', body)).json.secret_ref;
}
async function make(type: string, secret_refs: object[] = []): Promise<string> {
  return (await creator.post('/v1/containers', { type, secret_refs })).json.container_ref;
}
const idOf = (ref: string): string => ref.slice(-36);
const slot = (name: string | null | undefined, ref: string) => ({ name, secret_ref: ref });
const add = async (body: unknown, ref = box): Promise<Reply> => await creator.post(`${ref}/secrets`, body);
const remove = async (body: unknown, ref = box): Promise<Reply> =>
  await creator.delete(`${ref}/secrets`, { body });
const secretsOf = async (ref = box) => (await creator.get(ref)).json.secret_refs as object[];

function expectAnswer(reply: Reply, status: number, description: string): void {
  expect([reply.status, reply.json?.description]).toEqual([status, description]);
}
const CONFLICT =
  'Conflict. A secret with that name and ID is already stored in this container. The same secret can exist in a container as long as the name is unique.';

describe('adding a secret', () => {
  it('answers 201 with the container, which then shows it', async () => {
    const reply = await add(slot('x', one));
    expect([reply.status, reply.json, reply.headers.location]).toEqual([201, { container_ref: box }, box]);
    expect(await secretsOf()).toEqual([slot('x', one)]);
    const { created, updated } = (await creator.get(box)).json;
    expect(updated >= created).toBe(true);
  });

  it('takes one secret under several names, several under one name, and one without a name', async () => {
    const wanted = [slot('x', one), slot('y', one), slot('x', two), slot(null, two)];
    for (const { name, secret_ref } of wanted) {
      expect((await add(name === null ? { secret_ref } : { name, secret_ref })).status).toBe(201);
    }
    expect(await secretsOf()).toEqual(wanted);
    for (const { name, secret_ref } of wanted) {
      expectAnswer(await add(name === null ? { secret_ref } : { name, secret_ref }), 409, CONFLICT);
    }
    expect(await secretsOf()).toEqual(wanted);
  });

  it('works again after it was removed', async () => {
    for (let round = 0; round < 3; round += 1) {
      expect((await add(slot('x', one))).status).toBe(201);
      expect((await remove(slot('x', one))).status).toBe(204);
      expectAnswer(await remove(slot('x', one)), 404, 'Secret provided is not in the container');
    }
  });

  it.each(['rsa', 'certificate'])('is refused for a %s container, whatever the body holds', async (type) => {
    const typed = await make(type);
    for (const body of [slot('x', one), {}, { secret_ref: randomUUID() }]) {
      expectAnswer(await add(body, typed), 400, "Only 'generic' containers can be modified.");
    }
  });

  it('takes a bare id, an address of before, a slash at the end, and no other base', async () => {
    for (const ref of [idOf(one), `http://old.example/key-manager/v1/secrets/${idOf(one)}`, `${one}/`]) {
      expect((await add(slot(ref, ref))).status).toBe(201);
    }
    for (const ref of [`https://elsewhere.example/v1/secrets/${idOf(one)}`, 'x', `${one}?x=1`, box]) {
      expectAnswer(await add(slot('x', ref)), 400, 'Provided field value is not supported');
    }
  });

  it('answers 404 for a secret that the project does not have', async () => {
    const deleted = await store();
    await creator.delete(deleted);
    const foreign = await store(keyManager.as('creator', { project: 'project-2' }));
    const expired = await store(creator, { expiration: new Date(Date.now() + 60_000).toISOString() });
    keyManager.clock.offsetMilliseconds = 60_000;
    try {
      for (const ref of [deleted, foreign, expired, randomUUID(), one.replace(idOf(one), 'no-id')]) {
        expectAnswer(await add(slot('x', ref)), 404, "Secret provided doesn't exist.");
      }
    } finally {
      keyManager.clock.offsetMilliseconds = 0;
    }
    expect(await secretsOf()).toEqual([]);
  });

  it.each([
    ['null for a name', { name: null, secret_ref: 'x' }, "None is not of type 'string'", 'name'],
    ['a number for a name', { name: 5, secret_ref: 'x' }, "5 is not of type 'string'", 'name'],
    ['no reference', { name: 'x' }, "'secret_ref' is a required property", 'secret_ref'],
    ['an empty reference', { secret_ref: ' ' }, "'' is too short", 'secret_ref'],
    ['a list for a reference', { secret_ref: [] }, "[] is not of type 'string'", 'secret_ref'],
    ['a list', [], "the value is not of type 'object'", 'None'],
  ])('refuses %s, and removing too', async (_, body, reason, property) => {
    const text = `Provided object does not match schema 'ContainerSecret': ${reason}. Invalid property: '${property}'`;
    expectAnswer(await add(body), 400, text);
    expectAnswer(await remove(body), 400, text);
  });

  it('asks for JSON', async () => {
    const body = JSON.stringify(slot('x', one));
    for (const type of [undefined, 'text/plain', 'Application/JSON']) {
      const reply = await creator.post(`${box}/secrets`, body, { headers: { 'content-type': type } });
      expect(reply.status).toBe(415);
    }
    const json = { headers: { 'content-type': 'application/json' } };
    expectAnswer(await creator.post(`${box}/secrets`, '{', json), 400, 'Malformed JSON');
  });

  it('ends at a thousand', async () => {
    const { db, keyring } = keyManager.coffer;
    const row = await findContainer(db, idOf(box));
    const slots = Array.from({ length: 999 }, (_, n) => ({ name: `name ${n}`, secretId: idOf(one) }));
    if (row === undefined) throw new Error('no such container');
    await updateRow(db, keyring, 'containers', row, { slots: encodeSlots(slots) });
    expect((await add(slot('one more', one))).status).toBe(201);
    expectAnswer(await add(slot('last', one)), 400, 'A container holds at most 1000 secrets.');
    expect((await remove(slot('name 7', one))).status).toBe(204);
    expect((await add(slot('last', one))).status).toBe(201);
    expect(await secretsOf()).toHaveLength(1_000);
  });
});

describe('removing a secret', () => {
  it('answers 204 without a body, and takes the one pair out', async () => {
    for (const name of ['x', 'y']) await add(slot(name, one));
    await add(slot('x', two));
    const reply = await remove(slot('x', one));
    expect([reply.status, reply.bytes.length, reply.headers['content-length']]).toEqual([204, 0, undefined]);
    expect(await secretsOf()).toEqual([slot('y', one), slot('x', two)]);
    expect((await creator.get(one)).status).toBe(200);
  });

  it('works on a container of any type', async () => {
    const rsa = await make('rsa', [slot('public_key', one), slot('private_key', two)]);
    expect((await remove(slot('private_key', two), rsa)).status).toBe(204);
    expect(await secretsOf(rsa)).toEqual([slot('public_key', one)]);
  });

  it('takes the body under any Content-Type, and under none', async () => {
    const body = JSON.stringify(slot('x', one));
    for (const type of [
      undefined,
      'text/plain',
      'application/octet-stream',
      'application/json; charset=utf-8',
    ]) {
      await add(slot('x', one));
      const reply = await creator.delete(`${box}/secrets`, { body, headers: { 'content-type': type } });
      expect([type, reply.status]).toEqual([type, 204]);
    }
    for (const empty of [undefined, '', '{']) {
      expectAnswer(await creator.delete(`${box}/secrets`, { body: empty }), 400, 'Malformed JSON');
    }
  });

  it('tells a secret that is not in it from one that is not there', async () => {
    await add(slot('x', one));
    const missing = 'Secret provided is not in the container';
    expectAnswer(await remove(slot('y', one)), 404, missing);
    expectAnswer(await remove({ secret_ref: one }), 404, missing);
    expectAnswer(await remove(slot('x', two)), 404, missing);
    const gone = randomUUID();
    expectAnswer(await remove(slot('x', gone)), 404, `Secret 'x' with reference '${gone}' doesn't exist.`);
    expectAnswer(
      await remove({ secret_ref: gone }),
      404,
      `Secret 'None' with reference '${gone}' doesn't exist.`,
    );
    const foreign = await store(keyManager.as('creator', { project: 'project-2' }));
    expectAnswer(
      await remove(slot('x', foreign)),
      404,
      `Secret 'x' with reference '${foreign}' doesn't exist.`,
    );
    const elsewhere = `https://elsewhere.example/v1/secrets/${idOf(one)}`;
    expectAnswer(await remove(slot('x', elsewhere)), 400, 'Provided field value is not supported');
    expect(await secretsOf()).toEqual([slot('x', one)]);
  });

  it('takes out an expired secret, which the container still shows', async () => {
    const expired = await store(creator, { expiration: new Date(Date.now() + 60_000).toISOString() });
    await add(slot('x', expired));
    keyManager.clock.offsetMilliseconds = 60_000;
    try {
      expect((await creator.get(expired)).status).toBe(404);
      expect(await secretsOf()).toEqual([slot('x', expired)]);
      expect((await remove(slot('x', expired))).status).toBe(204);
      expect(await secretsOf()).toEqual([]);
      const text = `Secret 'x' with reference '${expired}' doesn't exist.`;
      expectAnswer(await remove(slot('x', expired)), 404, text);
    } finally {
      keyManager.clock.offsetMilliseconds = 0;
    }
  });
});

describe('a deleted secret', () => {
  it('is left out at once, alone and in a list, and its slot goes with the next change', async () => {
    await add(slot('x', one));
    await add(slot('y', two));
    await creator.delete(one);
    expect(await secretsOf()).toEqual([slot('y', two)]);
    const listed = (await creator.get('/v1/containers?limit=100')).json.containers as {
      container_ref: string;
    }[];
    expect(listed.find(({ container_ref }) => container_ref === box)).toMatchObject({
      secret_refs: [slot('y', two)],
    });
    expectAnswer(await remove(slot('x', one)), 404, `Secret 'x' with reference '${one}' doesn't exist.`);
    expect((await remove(slot('y', two))).status).toBe(204);
    expect(await secretsOf()).toEqual([]);
  });
});

describe('the address', () => {
  it('knows POST and DELETE alone', async () => {
    for (const method of ['GET', 'PUT', 'PATCH', 'HEAD']) {
      const reply = await creator.send(method, `${box}/secrets`);
      expect([method, reply.status, reply.headers.allow]).toEqual([method, 405, 'DELETE, POST']);
    }
    expect((await creator.post(`${box}/secrets/x`, {})).status).toBe(404);
    expect((await creator.post(`${box}/nope`, {})).status).toBe(404);
    expect((await creator.post(`${box}/secrets/`, slot('x', one))).status).toBe(201);
  });

  it('answers 404 for a container that is not there, before anything is asked of the body', async () => {
    for (const [id, text] of [
      ['x', 'Not Found. Provided container id is invalid.'],
      ['3B6C1A52-7D5E-4F0A-9C1B-2A3D4E5F6071', 'Not Found. Provided container id is invalid.'],
      [randomUUID(), 'Secrets container not found.'],
    ] as const) {
      for (const method of ['POST', 'DELETE']) {
        const reply = await keyManager.as([]).send(method, `/v1/containers/${id}/secrets`, { body: '{' });
        expectAnswer(reply, 404, text);
      }
    }
  });
});
