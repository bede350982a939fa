import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eachSeed, interleave, seeded } from '../harness/interleaving.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { type Client, rawClient } from './raw-http.ts';

// Two servers on one database, and requests that meet: each round has a secret of its own, and begins them
// after pauses that its seed says.

let one: StartedCoffer;
let two: StartedCoffer;
let owner: { here: Client; there: Client };
let guest: Person;

const onBoth = (person: Person): { here: Client; there: Client } => ({
  here: rawClient(one.url, person.token),
  there: rawClient(two.url, person.token),
});

beforeAll(async () => {
  one = await startCoffer();
  two = await startCoffer({ beside: one });
  owner = onBoth(await one.person(['creator'], 'owners'));
  guest = await one.person(['audit'], 'guests');
});
afterAll(async () => {
  await two.stop();
  await one.stop();
});

const NOVA = { service: 'nova', resource_type: 'SERVER', resource_id: 'one' };
const GLANCE = { service: 'glance', resource_type: 'image', resource_id: 'two' };

/** The servers have addresses, and so references, of their own. */
const idOf = (reference: string): string => reference.slice(-36);

async function store(): Promise<string> {
  const body = { payload: 'shared', payload_content_type: 'text/plain' };
  const { json } = await owner.here.post('/v1/secrets', body);
  return `/v1/secrets/${String(json.secret_ref).slice(-36)}`;
}

async function countConsumers(path: string): Promise<number> {
  const text = 'SELECT FROM secret_consumers WHERE parent_id = $1';
  return (await one.installation.db.query({ text, values: [path.slice(-36)] })).rows.length;
}

describe('whatever meets on two servers', { timeout: 600_000 }, () => {
  it('a secret is deleted without consumers or kept with them, never gone with one left', async () => {
    const outcomes = new Set<string>();
    await eachSeed(async (_seed, random) => {
      const path = await store();
      const [deleted, ...added] = (await interleave(random, [
        async () => (await owner.here.delete(path, { version: '1.2' })).status,
        async () => (await owner.there.post(`${path}/consumers`, NOVA)).status,
        async () => (await owner.here.post(`${path}/consumers`, GLANCE)).status,
      ])) as [number, number, number];
      const kept = (await owner.there.get(path)).status;
      const consumers = await countConsumers(path);
      outcomes.add(`${deleted} ${added.join(' ')}`);
      if (deleted === 204) {
        expect([kept, consumers]).toEqual([404, 0]);
        expect(added).toEqual([404, 404]);
      } else {
        expect([deleted, kept]).toEqual([400, 200]);
        expect(consumers).toBe(added.filter((status) => status === 200).length);
        expect(consumers).toBeGreaterThan(0);
      }
    });
    expect(outcomes.size).toBeGreaterThan(1);
  });

  it('a forced deletion leaves no consumer, and none registered after it', async () => {
    await eachSeed(async (_seed, random) => {
      const path = await store();
      await owner.here.post(`${path}/consumers`, NOVA);
      const [deleted, added, removed] = await interleave(random, [
        async () => (await owner.here.delete(`${path}?force=true`, { version: '1.2' })).status,
        async () => (await owner.there.post(`${path}/consumers`, GLANCE)).status,
        async () => (await owner.here.delete(`${path}/consumers`, { body: NOVA })).status,
      ]);
      expect(deleted).toBe(204);
      expect([200, 404]).toContain(added);
      expect([200, 404]).toContain(removed);
      expect([(await owner.there.get(path)).status, await countConsumers(path)]).toEqual([404, 0]);
    });
  });

  it('a consumer that many register at once is there once', async () => {
    await eachSeed(async (_seed, random) => {
      const path = await store();
      const statuses = await interleave(
        random,
        [owner.here, owner.there, owner.here, owner.there].map(
          (client) => async () => (await client.post(`${path}/consumers`, NOVA)).status,
        ),
      );
      expect(statuses).toEqual([200, 200, 200, 200]);
      expect(await countConsumers(path)).toBe(1);
    });
  });

  it('an ACL that was revoked gives nothing to a request that came after it', async () => {
    const { here, there } = onBoth(guest);
    await eachSeed(async (_seed, random) => {
      const path = await store();
      await owner.here.put(`${path}/acl`, { read: { users: [guest.userId] } });
      let isRevoked = false;
      const read = async (client: Client): Promise<void> => {
        const cameAfter = isRevoked;
        const reply = await client.get(`${path}/payload`);
        if (cameAfter) expect([reply.status, reply.text.includes('shared')]).toEqual([403, false]);
        else expect([200, 403]).toContain(reply.status);
        if (reply.status === 200) expect(reply.text).toBe('shared');
      };
      await interleave<void>(random, [
        async () => {
          const reply = await owner.there.delete(`${path}/acl`);
          expect(reply.status).toBe(200);
          isRevoked = true;
        },
        async () => await read(here),
        async () => await read(there),
        async () => await read(here),
      ]);
      await read(here);
      await read(there);
    });
  });

  it('changes of an ACL and of metadata that meet are all there, or were refused', async () => {
    await eachSeed(async (_seed, random) => {
      const path = await store();
      const patch = async (client: Client, read: object): Promise<boolean> =>
        (await client.send('PATCH', `${path}/acl`, { body: { read } })).status === 200;
      const [hidden, shared, described] = await interleave(random, [
        async () => await patch(owner.here, { 'project-access': false }),
        async () => await patch(owner.there, { users: ['guest'] }),
        async () => (await owner.here.put(`${path}/metadata`, { metadata: { a: 'b' } })).status === 201,
      ]);
      const { read } = (await owner.there.get(`${path}/acl`)).json;
      expect(read['project-access']).toBe(hidden !== true);
      expect(read.users ?? []).toEqual(shared === true ? ['guest'] : []);
      const { metadata } = (await owner.here.get(`${path}/metadata`)).json;
      expect(metadata).toEqual(described === true ? { a: 'b' } : {});
    });
  });
});

describe('a walk through the pages of a list', () => {
  it('meets each secret that was there once, while others store, change and share', async () => {
    const walker = onBoth(await one.person(['creator', 'admin'], 'walked'));
    const stored = new Set<string>();
    for (let round = 0; round < 10; round += 1) {
      const replies = await Promise.all(
        Array.from({ length: 21 }, async () => await walker.here.post('/v1/secrets', { name: 'walked' })),
      );
      for (const reply of replies) stored.add(idOf(reply.json.secret_ref));
    }
    let isDone = false;
    const ids = [...stored];
    const write = async (client: Client, seed: number): Promise<void> => {
      const random = seeded(seed);
      while (!isDone) {
        const ref = `/v1/secrets/${ids[Math.floor(random() * ids.length)]}`;
        await client.post('/v1/secrets', { name: 'walked' });
        await client.put(`${ref}/metadata`, { metadata: { at: String(random()) } });
        await client.put(`${ref}/acl`, { read: { users: [String(random())] } });
        await client.post(`${ref}/consumers`, NOVA);
      }
    };
    const writers = [write(walker.here, 1), write(walker.there, 2)];
    onTestFinished(async () => {
      isDone = true;
      await Promise.all(writers);
    });
    for (const query of ['', '&sort=created', '&name=walked&sort=name', '&name=walk%25&sort=status']) {
      const met: string[] = [];
      let next: string | undefined = `/v1/secrets?limit=20${query}`;
      while (next !== undefined) {
        const { json } = await walker.there.get(next);
        met.push(...json.secrets.map(({ secret_ref }: { secret_ref: string }) => idOf(secret_ref)));
        next = json.next === undefined ? undefined : json.next.slice(json.next.indexOf('/v1/'));
      }
      const old = met.filter((id) => stored.has(id));
      expect([query, old.length, new Set(old).size]).toEqual([query, stored.size, stored.size]);
    }
  });
});
