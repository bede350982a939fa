import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Coffer, type Credentials, type NewSecret, type Secret } from '../../src/client/index.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

const unknownId = '3b6c1a52-7d5e-4f0a-9c1b-2a3d4e5f6071';
let server: StartedCoffer;
let credentials: Credentials;
let coffer: Coffer;

beforeAll(async () => {
  server = await startCoffer();
  credentials = credentialsOf(await server.person(['creator']));
  coffer = new Coffer({ credentials });
});
afterAll(() => server.stop());

function credentialsOf({ name, password }: Person): Credentials {
  return { type: 'password', url: server.url, userName: name, password, projectName: 'demo' };
}

async function roundTrip(secret: NewSecret): Promise<{ bytes: Buffer; stored: Secret }> {
  const { id } = await coffer.secrets.create(secret);
  const bytes = Buffer.from((await coffer.secrets.payload(id)).bytes());
  return { bytes, stored: await coffer.secrets.get(id) };
}

it('gives back text byte for byte, also what the one-step form would change', async () => {
  const texts = [
    'x',
    'pä€𝄞',
    ' both ends ',
    '\n',
    '\ttab\n',
    'nul\0nul',
    '\ufeffmark',
    '"\\',
    'a'.repeat(20_000),
    '\u0001',
  ];
  for (const payload of texts) {
    const { bytes, stored } = await roundTrip({ payload });
    expect(bytes.toString('utf8')).toBe(payload);
    expect(stored.contentType).toBe('text/plain');
  }
});

it('gives back bytes as they were, up to the largest that the server takes', async () => {
  for (const length of [1, 2, 3, 32, 14_999, 15_000, 15_001, 20_000]) {
    const payload = randomBytes(length);
    const { bytes, stored } = await roundTrip({ payload });
    expect(bytes.equals(payload)).toBe(true);
    expect(stored.contentType).toBe('application/octet-stream');
  }
});

it('keeps what is said of a secret', async () => {
  const expiration = new Date(Date.now() + 86_400_000);
  const said = {
    name: 'tls key',
    type: 'private',
    algorithm: 'rsa',
    bitLength: 2048,
    mode: 'cbc',
    expiration,
  } as const;
  const { stored } = await roundTrip({ ...said, payload: 'x' });
  expect(stored).toMatchObject({ ...said, status: 'ACTIVE', contentType: 'text/plain' });
  expect(stored.created.getTime()).toBeGreaterThan(Date.now() - 60_000);
  expect(stored.ref.endsWith(`/v1/secrets/${stored.id}`)).toBe(true);
  expect(stored.creatorId).not.toBeNull();
});

it('leaves nothing behind when the value is too large', async () => {
  const before = (await coffer.secrets.page()).total;
  await expect(coffer.secrets.create({ payload: randomBytes(20_001) })).rejects.toMatchObject({
    code: 'payload_too_large',
    status: 413,
  });
  expect((await coffer.secrets.page()).total).toBe(before);
});

it('stores in two steps, once', async () => {
  const { id } = await coffer.secrets.create({ name: 'later' });
  expect((await coffer.secrets.get(id)).contentType).toBeUndefined();
  await expect(coffer.secrets.payload(id)).rejects.toMatchObject({ code: 'not_found' });
  await coffer.secrets.uploadPayload(id, 'now');
  expect((await coffer.secrets.payload(id)).text()).toBe('now');
  await expect(coffer.secrets.uploadPayload(id, 'again')).rejects.toMatchObject({
    code: 'conflict',
    status: 409,
  });
});

it('deletes, and then knows the secret no more', async () => {
  const { id } = await coffer.secrets.create({ payload: 'x' });
  await coffer.secrets.delete(id);
  for (const method of ['get', 'payload', 'delete'] as const) {
    await expect(coffer.secrets[method](id)).rejects.toMatchObject({ code: 'not_found', status: 404 });
  }
});

it('lists page by page, each secret once, with the filters of the server', async () => {
  const names = Array.from({ length: 25 }, (_, at) => `listed-${String(at).padStart(2, '0')}`);
  for (const name of names) await coffer.secrets.create({ name, type: 'passphrase', payload: 'x' });
  const listed: (string | null)[] = [];
  const filter = { name: 'listed-%', type: 'passphrase', sort: 'name:desc', pageSize: 7 } as const;
  for await (const secret of coffer.secrets.list(filter)) listed.push(secret.name);
  expect(listed).toEqual(names.toReversed());
  const page = await coffer.secrets.page(filter, 21);
  expect(page).toMatchObject({ total: 25 });
  expect(page.secrets).toHaveLength(4);
  expect(page.nextOffset).toBeUndefined();
  expect((await coffer.secrets.page({ name: 'listed-03' })).secrets.map(({ name }) => name)).toEqual([
    'listed-03',
  ]);
});

it('finds names that a filter could misread', async () => {
  for (const name of ['100% sure', 'a+b', 'a&b=c', 'ä/?#']) {
    const { id } = await coffer.secrets.create({ name, payload: 'x' });
    const { secrets } = await coffer.secrets.page({ name });
    expect(secrets.map((secret) => secret.id)).toContain(id);
  }
});

it('keeps texts beside the value', async () => {
  const { id } = await coffer.secrets.create({ payload: 'x' });
  const { metadata } = coffer.secrets;
  expect(await metadata.list(id)).toEqual({});
  await metadata.replace(id, { env: 'prod', owner: 'ann' });
  await metadata.add(id, 'tier', 'gold');
  await expect(metadata.add(id, 'tier', 'tin')).rejects.toMatchObject({ code: 'conflict' });
  await metadata.update(id, 'env', 'test');
  await metadata.delete(id, 'owner');
  expect(await metadata.list(id)).toEqual({ env: 'test', tier: 'gold' });
  expect(await metadata.get(id, 'tier')).toBe('gold');
  await expect(metadata.get(id, 'none')).rejects.toMatchObject({ code: 'not_found' });
});

it('takes bare ids and references, and tells code, status and request id of a failure', async () => {
  const { id, ref } = await coffer.secrets.create({ payload: 'x' });
  expect((await coffer.secrets.get(ref)).id).toBe(id);
  const error = await coffer.secrets.get(unknownId).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'not_found', status: 404, retryable: false });
  expect((error as { requestId?: string }).requestId).toMatch(/^req-/);
});

it('refuses what the server would read otherwise than meant', async () => {
  await expect(coffer.secrets.create({ payload: '' })).rejects.toMatchObject({ code: 'bad_request' });
  await expect(coffer.secrets.create({ payload: 'half \ud800' })).rejects.toMatchObject({
    code: 'bad_request',
  });
});

it('logs in with a token, rescoped and as it is', async () => {
  const { token, url, projectName, userName } = await coffer.login();
  expect([userName, projectName].every(Boolean)).toBe(true);
  const given = { type: 'token', token: token.text() } as const;
  const { id } = await coffer.secrets.create({ payload: 'x' });
  for (const more of [{ url }, { authUrl: `${url}/identity/v3` }, { url, projectName }]) {
    const other = new Coffer({ credentials: { ...given, ...more } });
    expect((await other.secrets.payload(id)).text()).toBe('x');
  }
});

it('tells wrong passwords and missing rights apart', async () => {
  const wrong = new Coffer({ credentials: { ...credentials, password: 'wrong' } as Credentials });
  await expect(wrong.login()).rejects.toMatchObject({ code: 'unauthorized', status: 401 });
  const { id } = await coffer.secrets.create({ payload: 'x' });
  const observer = new Coffer({ credentials: credentialsOf(await server.person(['observer'])) });
  await expect(observer.secrets.delete(id)).rejects.toMatchObject({ code: 'forbidden', status: 403 });
});
