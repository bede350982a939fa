import { afterAll, beforeAll, expect, it } from 'vitest';
import { eachSeed, interleave } from '../harness/interleaving.ts';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { type Client, rawClient } from './raw-http.ts';

let one: StartedCoffer;
let two: StartedCoffer;
let here: Client;
let there: Client;

beforeAll(async () => {
  one = await startCoffer();
  two = await startCoffer({ beside: one });
  const { token } = await one.person(['creator'], 'owners');
  [here, there] = [rawClient(one.url, token), rawClient(two.url, token)];
});

afterAll(async () => {
  await two.stop();
  await one.stop();
});

const text = { headers: { 'content-type': 'text/plain' } };

it('takes one of two payloads on two servers, whole, or none when the secret is deleted meanwhile', {
  timeout: 600_000,
}, async () => {
  const outcomes = new Set<string>();
  await eachSeed(async (_seed, random) => {
    const { json } = await here.post('/v1/secrets', { name: 'to be filled' });
    const path = `/v1/secrets/${String(json.secret_ref).slice(-36)}`;
    const [first, second, deleted] = (await interleave(random, [
      async () => (await here.put(path, 'the first', text)).status,
      async () => (await there.put(path, 'the second', text)).status,
      async () => (await here.delete(path)).status,
    ])) as [number, number, number];
    outcomes.add(`${first} ${second}`);
    // Whoever deletes may have to decide again on the row as a payload left it, and always does.
    expect(deleted).toBe(204);
    expect([204, 404, 409]).toContain(first);
    expect([204, 404, 409]).toContain(second);
    expect([first, second].filter((status) => status === 204).length).toBeLessThan(2);
    expect((await there.get(`${path}/payload`)).status).toBe(404);
  });
  expect(outcomes.size).toBeGreaterThan(1);
});

it('keeps the payload that it took, and only that, of two servers', { timeout: 600_000 }, async () => {
  await eachSeed(async (_seed, random) => {
    const { json } = await there.post('/v1/secrets', { name: 'to be filled' });
    const path = `/v1/secrets/${String(json.secret_ref).slice(-36)}`;
    const payloads = ['the first', 'the second'];
    const statuses = await interleave(
      random,
      payloads.map((payload, n) => async () => (await [here, there][n]?.put(path, payload, text))?.status),
    );
    expect(new Set(statuses)).toEqual(new Set([204, 409]));
    const taken = payloads[statuses.indexOf(204)];
    for (const client of [here, there]) expect((await client.get(`${path}/payload`)).text).toBe(taken);
  });
});
