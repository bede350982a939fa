import { createPrivateKey } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Coffer, type Credentials, type Order } from '../../src/client/index.ts';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

let server: StartedCoffer;
let credentials: Credentials;
let coffer: Coffer;

beforeAll(async () => {
  server = await startCoffer();
  const { name, password } = await server.person(['creator', 'admin']);
  credentials = { type: 'password', url: server.url, userName: name, password, projectName: 'demo' };
  coffer = new Coffer({ credentials });
});
afterAll(async () => await server.stop());

it('orders a key, waits for it and reads it', async () => {
  const expiration = new Date(Date.now() + 86_400_000);
  const { id, ref } = await coffer.orders.createKey({
    name: 'sdk',
    algorithm: 'aes',
    bitLength: 256,
    mode: 'cbc',
    expiration,
  });
  expect(ref.endsWith(`/v1/orders/${id}`)).toBe(true);
  const order = await coffer.orders.wait(ref);
  expect(order).toMatchObject({
    id,
    ref,
    type: 'key',
    status: 'ACTIVE',
    name: 'sdk',
    algorithm: 'aes',
    bitLength: 256,
    mode: 'cbc',
    containerId: null,
    errorCode: null,
    errorReason: null,
  });
  const secret = await coffer.secrets.get(order.secretId ?? '');
  expect(secret.expiration).toEqual(expiration);
  expect((await coffer.secrets.payload(secret.id)).bytes()).toHaveLength(32);
});

it('orders a pair under a passphrase, which no order shows', async () => {
  const passphrase = 'canary words';
  const { id } = await coffer.orders.createPair({ algorithm: 'ed25519', bitLength: 256, passphrase });
  const order = await coffer.orders.wait(id);
  expect(order.containerId).not.toBeNull();
  expect(JSON.stringify(order)).not.toContain('canary');
  const privates: string[] = [];
  for await (const { id: secret } of coffer.secrets.list({ type: 'private' })) privates.push(secret);
  const key = Buffer.from((await coffer.secrets.payload(privates[0] ?? '')).bytes());
  expect(createPrivateKey({ key, passphrase }).asymmetricKeyType).toBe('ed25519');
});

it('tells how an order failed', async () => {
  const { id } = await coffer.orders.createKey({ algorithm: '3des', bitLength: 192 });
  expect(await coffer.orders.wait(id)).toMatchObject({
    status: 'ERROR',
    errorCode: '400',
    errorReason: 'Process TypeOrder issue seen - Secret generate supported plugin not found..',
    secretId: null,
  });
});

it('lists all orders, over pages, and those with a part in what they say; deletes', async () => {
  const name = 'many';
  const making = Array.from({ length: 101 }, async () => {
    const { id } = await coffer.orders.createKey({ name, algorithm: 'aes', bitLength: 128 });
    return id;
  });
  const made = await Promise.all(making);
  const listed: Order[] = [];
  for await (const order of coffer.orders.list({ meta: `"name": "${name}"` })) listed.push(order);
  expect(listed.map(({ id }) => id).sort()).toEqual([...made].sort());
  const [first = ''] = made;
  await coffer.orders.delete(first);
  await expect(coffer.orders.get(first)).rejects.toMatchObject({ code: 'not_found' });
  await expect(coffer.orders.get('nonsense')).rejects.toMatchObject({ code: 'bad_request' });
  const secretRef = `${server.url}/v1/secrets/${first}`;
  await expect(coffer.orders.get(secretRef)).rejects.toMatchObject({ code: 'bad_request' });
});

it('stops waiting when it is late or told to', async () => {
  const idle = await startCoffer({ beside: server, env: { COFFER_WORKER: 'off' } });
  await server.server.drain();
  try {
    const client = new Coffer({ credentials: { ...credentials, url: idle.url } });
    const { id } = await client.orders.createKey({ algorithm: 'aes', bitLength: 128 });
    await expect(client.orders.wait(id, { waitMs: 200 })).rejects.toMatchObject({ code: 'timeout' });
    const stopping = new AbortController();
    setTimeout(() => stopping.abort(), 100);
    const waiting = client.orders.wait(id, { signal: stopping.signal });
    await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
  } finally {
    await idle.stop();
  }
});
