import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { rounds } from '../harness/rounds.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { type Client, type Reply, rawClient } from './raw-http.ts';

let one: StartedCoffer;
let two: StartedCoffer;
let alice: Person;
/** Alice on either server. */
let both: readonly [Client, Client];
let box: string;
beforeAll(async () => {
  one = await startCoffer({ env: { COFFER_PUBLIC_URL: 'https://kms.example' } });
  two = await startCoffer({ beside: one });
  alice = await one.person(['creator']);
  both = [alice.client, rawClient(two.url, alice.token)];
});
afterAll(async () => {
  await two.stop();
  await one.stop();
});
beforeEach(async () => void (box = await make()));

const store = async (): Promise<string> => (await alice.client.post('/v1/secrets', {})).json.secret_ref;
const make = async (secret_refs: object[] = []): Promise<string> =>
  (await alice.client.post('/v1/containers', { type: 'generic', secret_refs })).json.container_ref;
const slot = (name: string, secret_ref: string) => ({ name, secret_ref });
const pick = (index: number): Client => (index % 2 === 0 ? both[0] : both[1]);
const add = async (index: number, name: string, ref: string): Promise<Reply> =>
  await pick(index).post(`${box}/secrets`, slot(name, ref));
const namesIn = async (): Promise<string[]> => {
  const replies = await Promise.all(both.map(async (client) => await client.get(box)));
  const [names, others] = replies.map(({ json }) =>
    json.secret_refs.map((each: { name: string }) => each.name),
  );
  expect(names).toEqual(others);
  return names;
};
const statusesOf = (replies: readonly Reply[]): number[] =>
  replies.map(({ status }) => status).sort((a, b) => a - b);

describe('two servers on one database', () => {
  it('add one pair once, however many ask at once', async () => {
    for (let round = 0; round < rounds(50); round += 1) {
      box = await make();
      const ref = await store();
      const replies = await Promise.all(Array.from({ length: 4 }, (_, index) => add(index, 'x', ref)));
      expect(statusesOf(replies)).toEqual([201, 409, 409, 409]);
      expect(await namesIn()).toEqual(['x']);
    }
  });

  it('lose no addition and no removal that they answered', async () => {
    for (let round = 0; round < rounds(50); round += 1) {
      box = await make();
      const ref = await store();
      const kept = new Set<string>();
      await add(0, 'first', ref);
      const work = Array.from({ length: 4 }, async (_, index) => {
        const reply = await add(index, `name ${index}`, ref);
        if (reply.status === 201) kept.add(`name ${index}`);
        else expect(reply.status).toBe(503);
      });
      const removal = both[1].delete(`${box}/secrets`, { body: slot('first', ref) });
      await Promise.all(work);
      if ((await removal).status !== 204) kept.add('first');
      expect(new Set(await namesIn())).toEqual(kept);
    }
  });

  it('add no secret that is deleted meanwhile, and show none', async () => {
    for (let round = 0; round < rounds(100); round += 1) {
      const ref = await store();
      const [added, deleted] = await Promise.all([
        add(round, `name ${round}`, ref),
        pick(round + 1).delete(ref),
      ]);
      expect([201, 404]).toContain(added.status);
      expect(deleted.status).toBe(204);
      expect(await namesIn()).toEqual([]);
    }
  });

  it('make no container of a secret that is deleted meanwhile', async () => {
    for (let round = 0; round < rounds(100); round += 1) {
      const ref = await store();
      const body = { type: 'generic', secret_refs: [slot('x', ref)] };
      const [made, deleted] = await Promise.all([
        pick(round).post('/v1/containers', body),
        pick(round + 1).delete(ref),
      ]);
      expect(deleted.status).toBe(204);
      expect([201, 404]).toContain(made.status);
      if (made.status === 201)
        expect((await alice.client.get(made.json.container_ref)).json.secret_refs).toEqual([]);
    }
  });

  it('answer 404 to who adds to a container that is deleted meanwhile, and bring nothing back', async () => {
    const ref = await store();
    for (let round = 0; round < rounds(100); round += 1) {
      box = await make();
      const [added, deleted] = await Promise.all([add(round, 'x', ref), pick(round + 1).delete(box)]);
      expect([201, 404]).toContain(added.status);
      expect(deleted.status).toBe(204);
      expect((await alice.client.get(box)).status).toBe(404);
    }
  });
});

describe('adding', () => {
  it.each([
    ['to a container', async (ref: string) => await add(1, 'x', ref)],
    [
      'with a new container',
      async (ref: string) =>
        await both[1].post('/v1/containers', { type: 'generic', secret_refs: [slot('x', ref)] }),
    ],
  ])('%s waits for a deletion of the secret that is under way, and then finds none', async (_, ask) => {
    const ref = await store();
    let reply: Promise<Reply> | undefined;
    await one.installation.db.transaction(async (tx) => {
      await tx.query({ text: 'DELETE FROM secrets WHERE id = $1', values: [ref.slice(-36)] });
      reply = ask(ref);
      expect(await Promise.race([reply.then(() => 'answered'), wait(150, 'waits')])).toBe('waits');
    });
    expect((await reply)?.status).toBe(404);
    expect(await namesIn()).toEqual([]);
  });

  it('rests on the secret as it was read: one that changes meanwhile is read again', async () => {
    const { db } = one.installation;
    const ref = await store();
    let reply: Promise<Reply> | undefined;
    await db.transaction(async (tx) => {
      await tx.query({ text: 'SELECT 1 FROM secrets WHERE id = $1 FOR UPDATE', values: [ref.slice(-36)] });
      reply = add(0, 'x', ref);
      await wait(100);
    });
    expect((await reply)?.status).toBe(201);
    expect(await namesIn()).toEqual(['x']);
  });
});

describe('under a quota of five', () => {
  it('twenty creations on two servers make five, and a deletion gives the place back', async () => {
    const env = { COFFER_QUOTA_CONTAINERS: '5', COFFER_PUBLIC_URL: 'https://kms.example' };
    const limited = await startCoffer({ env });
    const beside = await startCoffer({ beside: limited, env });
    try {
      const carol = await limited.person(['creator']);
      const clients = [carol.client, rawClient(beside.url, carol.token)];
      const ref = (await carol.client.post('/v1/secrets', {})).json.secret_ref as string;
      const body = { type: 'generic', secret_refs: [slot('x', ref)] };
      const replies = await Promise.all(
        Array.from(
          { length: 20 },
          async (_, index) => await clients[index % 2]!.post('/v1/containers', body),
        ),
      );
      expect(statusesOf(replies)).toEqual([...Array(5).fill(201), ...Array(15).fill(403)]);
      const made = replies.find(({ status }) => status === 201)?.json.container_ref as string;
      expect((await carol.client.delete(made)).status).toBe(204);
      expect(statusesOf([await clients[1]!.post('/v1/containers', body)])).toEqual([201]);
      expect(statusesOf([await clients[0]!.post('/v1/containers', body)])).toEqual([403]);
    } finally {
      await beside.stop();
      await limited.stop();
    }
  });
});
