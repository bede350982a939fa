import { afterAll, beforeAll, expect, it } from 'vitest';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

let one: StartedCoffer;
let two: StartedCoffer;

beforeAll(async () => {
  one = await startCoffer();
  two = await startCoffer({ beside: one });
});

afterAll(async () => {
  await two.stop();
  await one.stop();
});

const text = (payload: string) => ({ payload, payload_content_type: 'text/plain' });

it('serves on one server what was stored on the other, to a token of either', async () => {
  const { client, token } = await one.person(['creator']);
  const stored = await client.post('/v1/secrets', text('shared'));
  expect(stored.status).toBe(201);
  const { secret_ref } = stored.json;
  const read = await two.stranger.get(`${new URL(secret_ref).pathname}/payload`, {
    headers: { 'x-auth-token': token, accept: 'text/plain' },
  });
  expect([read.status, read.text]).toEqual([200, 'shared']);
});

it('refuses on every server a token that was revoked on one, within 5 s', async () => {
  const { client, token } = await one.person(['creator']);
  const asked = { headers: { 'x-auth-token': token } };
  expect((await two.stranger.get('/v1/secrets', asked)).status).toBe(200);
  const revoked = await client.delete('/identity/v3/auth/tokens', { headers: { 'x-subject-token': token } });
  expect(revoked.status).toBe(204);
  expect((await client.get('/v1/secrets')).status).toBe(401);
  await expect
    .poll(async () => (await two.stranger.get('/v1/secrets', asked)).status, { timeout: 5_000 })
    .toBe(401);
});

it('ends twenty first writers of a project, on two servers, with one KEK', async () => {
  const { projectId, token } = await one.person(['creator'], 'first-writers');
  const asked = { headers: { 'x-auth-token': token } };
  const writers = Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? one : two).stranger);
  const replies = await Promise.all(
    writers.map(async (writer, n) => await writer.post('/v1/secrets', text(`payload ${n}`), asked)),
  );
  expect(replies.map(({ status }) => status)).toEqual(Array(20).fill(201));
  const { rows } = await one.installation.db.query({
    text: 'SELECT epoch FROM keks WHERE project_id = $1',
    values: [projectId],
  });
  expect(rows).toEqual([{ epoch: 1n }]);
});
