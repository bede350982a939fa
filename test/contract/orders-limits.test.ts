import { afterAll, beforeAll, expect, it } from 'vitest';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { workOff } from '../orders/order-stage.ts';
import { clientWith, makeCredential } from './applications.ts';
import { KEY } from './orders-stage.ts';

let coffer: StartedCoffer;
beforeAll(async () => {
  coffer = await startCoffer({
    env: { COFFER_WORKER: 'off', COFFER_QUOTA_ORDERS: '3', COFFER_QUOTA_SECRETS: '1' },
  });
});
afterAll(async () => await coffer.stop());

const ORDER = { type: 'key', meta: KEY };

it('holds orders to their quota, which parallel submissions do not pass and a deletion gives back', async () => {
  const { client } = await coffer.person(['creator', 'admin'], 'limited');
  const replies = await Promise.all(
    Array.from({ length: 10 }, async () => await client.post('/v1/orders', ORDER)),
  );
  const refused = replies.filter(({ status }) => status === 403);
  expect([replies.filter(({ status }) => status === 202).length, refused.length]).toEqual([3, 7]);
  expect(refused[0]?.json.description).toBe(
    'Order creation issue seen - Creation not allowed because a quota has been reached.',
  );
  const [first] = replies.filter(({ status }) => status === 202);
  expect((await client.delete(first?.json.order_ref)).status).toBe(204);
  expect((await client.post('/v1/orders', ORDER)).status).toBe(202);
  expect((await client.post('/v1/orders', ORDER)).status).toBe(403);
});

it('makes the secrets of orders whatever the quota of secrets says, as Barbican does', async () => {
  const { client } = await coffer.person(['creator', 'admin'], 'modest');
  for (let count = 0; count < 2; count += 1)
    expect((await client.post('/v1/orders', ORDER)).status).toBe(202);
  await workOff(coffer.server.coffer, 'key');
  expect((await client.get('/v1/secrets')).json.total).toBe(2);
  expect((await client.post('/v1/secrets', {})).status).toBe(403);
});

it('works by what an application credential gives at that time', async () => {
  const owner = await coffer.person(['creator', 'admin'], 'applied');
  const credential = await makeCredential(owner, { roles: [{ name: 'creator' }] });
  const client = await clientWith(coffer, credential);
  const [kept, ended] = [await client.post('/v1/orders', ORDER), await client.post('/v1/orders', ORDER)];
  await coffer.installation.db.query({
    text: `UPDATE order_leases SET due = now() + interval '1 hour' WHERE order_id = $1`,
    values: [String(ended.json.order_ref).slice(-36)],
  });
  await workOff(coffer.server.coffer, 'key');
  expect((await owner.client.get(kept.json.order_ref)).json.status).toBe('ACTIVE');
  const path = `/identity/v3/users/${owner.userId}/application_credentials/${credential.id}`;
  expect((await owner.client.delete(path)).status).toBe(204);
  await coffer.installation.db.query({ text: 'UPDATE order_leases SET due = now()' });
  await workOff(coffer.server.coffer, 'key');
  expect((await owner.client.get(ended.json.order_ref)).json).toMatchObject({
    status: 'ERROR',
    error_status_code: '403',
  });
});

it('works for whoever a request says it comes from, where nobody is authenticated', async () => {
  const open = await startCoffer({ env: { COFFER_NOAUTH: '1' } });
  try {
    const headers = { 'x-project-id': 'anything', 'x-user-id': 'somebody', 'x-roles': 'creator' };
    const { order_ref: order } = (await open.stranger.post('/v1/orders', ORDER, { headers })).json;
    const status = async () => (await open.stranger.get(order, { headers })).json.status;
    await expect.poll(status, { timeout: 20_000 }).toBe('ACTIVE');
  } finally {
    await open.stop();
  }
});
