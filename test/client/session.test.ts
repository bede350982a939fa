import { inspect } from 'node:util';
import { afterEach, expect, it, vi } from 'vitest';
import {
  Coffer,
  CofferError,
  type Credentials,
  credentialsFromEnvironment,
  providerChain,
} from '../../src/client/index.ts';
import { clientOf, PASSWORD, type Script, scriptedServers } from './scripted-server.ts';

const id = '3b6c1a52-7d5e-4f0a-9c1b-2a3d4e5f6071';
const { start, closeAll } = scriptedServers();

afterEach(async () => {
  vi.useRealTimers();
  await closeAll();
});

const bytes: Script = (_seen, reply) => void reply.raw.end('value');
/** Stops the clock that lives of tokens are measured by; it gives a function that puts it forward. */
function stopClock(): (ms: number) => void {
  vi.useFakeTimers({ toFake: ['Date'] });
  return (ms) => void vi.setSystemTime(Date.now() + ms);
}

it('logs in once for fifty first calls in parallel', async () => {
  const server = await start(bytes, (_seen, reply) => void setTimeout(() => reply.token('tok', 60), 30));
  const client = clientOf(server.url);
  await Promise.all(Array.from({ length: 50 }, () => client.secrets.payload(id)));
  expect(server.logins()).toHaveLength(1);
  expect(server.calls().every((call) => call.token === 'tok')).toBe(true);
});

it('one caller that aborts does not end the login that others wait for', async () => {
  const server = await start(bytes, (_seen, reply) => void setTimeout(() => reply.token('tok', 60), 80));
  const client = clientOf(server.url);
  const controller = new AbortController();
  const impatient = client.secrets.payload(id, { signal: controller.signal });
  const patient = client.secrets.payload(id);
  setTimeout(() => controller.abort(), 20);
  await expect(impatient).rejects.toMatchObject({ code: 'aborted' });
  expect((await patient).text()).toBe('value');
  expect(server.logins()).toHaveLength(1);
});

it('renews in the background from 80 % of a life, while the old token still serves', async () => {
  const passTime = stopClock();
  let renew: (() => void) | undefined;
  const server = await start(bytes, (_seen, reply, count) => {
    if (count === 0) reply.token('one', 3);
    else renew = () => reply.token('two', 60);
  });
  const client = clientOf(server.url);
  await client.secrets.payload(id);
  passTime(2_300);
  await client.secrets.payload(id);
  expect(server.logins()).toHaveLength(1);
  passTime(200);
  await Promise.all(Array.from({ length: 10 }, () => client.secrets.payload(id)));
  expect(server.calls().every((call) => call.token === 'one')).toBe(true);
  await vi.waitFor(() => expect(renew).toBeDefined(), 10_000);
  renew?.();
  await vi.waitFor(async () => {
    await client.secrets.payload(id);
    expect(server.calls().at(-1)?.token).toBe('two');
  }, 10_000);
  expect(server.logins()).toHaveLength(2);
});

it('keeps serving with the old token when the renewal fails, and does not crash', async () => {
  const passTime = stopClock();
  const server = await start(bytes, (_seen, reply, count) =>
    count === 0 ? reply.token('one', 3) : reply.json(500, {}),
  );
  const client = clientOf(server.url);
  await client.secrets.payload(id);
  passTime(2_500);
  await client.secrets.payload(id);
  await vi.waitFor(() => expect(server.logins()).toHaveLength(2), 10_000);
  for (let call = 0; call < 5; call += 1) await client.secrets.payload(id);
  expect(server.calls().every((call) => call.token === 'one')).toBe(true);
  expect(server.logins()).toHaveLength(2);
});

it('waits for a new token once the old one has ended', async () => {
  const passTime = stopClock();
  const server = await start(bytes, (_seen, reply, count) => reply.token(`t${count}`, count === 0 ? 3 : 60));
  const client = clientOf(server.url);
  await client.secrets.payload(id);
  passTime(3_000);
  await client.secrets.payload(id);
  expect(server.calls().map((call) => call.token)).toEqual(['t0', 't1']);
});

it('logs in once more after a 401, for all calls together, and repeats each', async () => {
  const server = await start((seen, reply, count) =>
    seen.token === 'token-1' ? reply.json(401, {}) : bytes(seen, reply, count),
  );
  const client = clientOf(server.url);
  const values = await Promise.all(Array.from({ length: 10 }, () => client.secrets.payload(id)));
  expect(values).toHaveLength(10);
  expect(server.logins()).toHaveLength(2);
});

it('repeats a creation after a 401: it was not processed', async () => {
  const server = await start((seen, reply) =>
    seen.token === 'token-1' ? reply.json(401, {}) : reply.json(201, { secret_ref: `x/v1/secrets/${id}` }),
  );
  await clientOf(server.url).secrets.create({ payload: 'x' });
  expect(server.calls()).toHaveLength(2);
});

it('gives up when the new token is refused as well', async () => {
  const server = await start((_seen, reply) => reply.json(401, { title: 'Unauthorized' }));
  const error = await clientOf(server.url)
    .secrets.payload(id)
    .catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'unauthorized', status: 401 });
  expect(server.logins()).toHaveLength(2);
  expect(server.calls()).toHaveLength(2);
});

it('uses a given token as it is, without a login, and says so when it is refused', async () => {
  const server = await start((seen, reply, count) =>
    seen.token === 'good' ? bytes(seen, reply, count) : reply.json(401, { title: 'Unauthorized' }),
  );
  const good = new Coffer({ url: server.url, credentials: { type: 'token', token: 'good' } });
  expect((await good.secrets.payload(id)).text()).toBe('value');
  const bad = new Coffer({ url: server.url, credentials: { type: 'token', token: 'bad' } });
  await expect(bad.secrets.payload(id)).rejects.toMatchObject({ code: 'unauthorized' });
  expect(server.logins()).toHaveLength(0);
});

it('asks the next provider of the chain after a stored token was refused', async () => {
  const server = await start((seen, reply, count) =>
    seen.token === 'stale' ? reply.json(401, {}) : bytes(seen, reply, count),
  );
  const credentials = providerChain(
    ({ rejected }) => (rejected ? undefined : { type: 'token', token: 'stale', url: server.url }),
    () => ({ type: 'password', userName: 'ann', password: PASSWORD, url: server.url }),
  );
  expect((await new Coffer({ credentials }).secrets.payload(id)).text()).toBe('value');
  expect(server.calls().map((call) => call.token)).toEqual(['stale', 'token-1']);
});

it('finds the key manager in the catalog of its region', async () => {
  const server = await start(bytes);
  const place = { authUrl: `${server.url}/identity/v3/`, region: 'RegionOne' };
  const credentials: Credentials = { type: 'password', userName: 'ann', password: PASSWORD, ...place };
  const token = await new Coffer({ credentials }).login();
  expect(token).toMatchObject({ url: server.url, userName: 'ann', projectId: 'p1', projectName: 'demo' });
  const elsewhere = new Coffer({ credentials: { ...credentials, region: 'Mars' } });
  await expect(elsewhere.login()).rejects.toMatchObject({ code: 'configuration' });
});

it('learns the address of a bare token from the identity service', async () => {
  const server = await start(bytes, (seen, reply) => {
    expect(seen.method).toBe('GET');
    reply.token('given', 60);
  });
  const credentials = { type: 'token', token: 'given', authUrl: `${server.url}/identity` } as const;
  expect((await new Coffer({ credentials }).secrets.payload(id)).text()).toBe('value');
});

it('asks for a token in the words of Keystone', async () => {
  const server = await start(bytes);
  const requestOf = async (credentials: Credentials): Promise<unknown> => {
    await new Coffer({ url: server.url, credentials }).login();
    return (JSON.parse(server.logins().at(-1)!.body) as { auth: unknown }).auth;
  };
  expect(
    await requestOf({ type: 'password', userName: 'ann', password: PASSWORD, projectName: 'demo' }),
  ).toEqual({
    identity: {
      methods: ['password'],
      password: { user: { name: 'ann', domain: { name: 'Default' }, password: PASSWORD } },
    },
    scope: { project: { name: 'demo', domain: { name: 'Default' } } },
  });
  expect(await requestOf({ type: 'password', userId: 'u1', password: PASSWORD, projectId: 'p1' })).toEqual({
    identity: { methods: ['password'], password: { user: { id: 'u1', password: PASSWORD } } },
    scope: { project: { id: 'p1' } },
  });
  expect(await requestOf({ type: 'token', token: 'tok', projectName: 'b', projectDomainId: 'd' })).toEqual({
    identity: { methods: ['token'], token: { id: 'tok' } },
    scope: { project: { name: 'b', domain: { id: 'd' } } },
  });
  expect(await requestOf({ type: 'application_credential', id: 'a1', secret: 's' })).toEqual({
    identity: { methods: ['application_credential'], application_credential: { id: 'a1', secret: 's' } },
  });
  expect(await requestOf({ type: 'application_credential', name: 'ci', userId: 'u1', secret: 's' })).toEqual({
    identity: {
      methods: ['application_credential'],
      application_credential: { name: 'ci', user: { id: 'u1' }, secret: 's' },
    },
  });
});

it('reads the variables of OpenStack clients', () => {
  const place = { OS_AUTH_URL: 'https://h/identity/v3' };
  const user = { OS_USERNAME: 'ann', OS_PASSWORD: 'pw', OS_PROJECT_NAME: 'demo', OS_USER_DOMAIN_NAME: 'D' };
  expect(credentialsFromEnvironment({ ...place, ...user })).toMatchObject({
    type: 'password',
    authUrl: 'https://h/identity/v3',
    userName: 'ann',
    userDomainName: 'D',
    projectName: 'demo',
  });
  expect(credentialsFromEnvironment({ ...place, ...user, OS_TOKEN: 't' })).toMatchObject({ type: 'token' });
  const application = { OS_APPLICATION_CREDENTIAL_ID: 'a', OS_APPLICATION_CREDENTIAL_SECRET: 's' };
  expect(credentialsFromEnvironment({ ...place, ...user, ...application })).toMatchObject({
    id: 'a',
    secret: 's',
  });
  expect(
    credentialsFromEnvironment({ ...place, ...user, ...application, OS_AUTH_TYPE: 'v3password' }),
  ).toMatchObject({ type: 'password' });
  expect(credentialsFromEnvironment({ COFFER_URL: 'https://h', OS_TOKEN: 't' })).toMatchObject({
    url: 'https://h',
  });
  expect(credentialsFromEnvironment(user)).toBeUndefined();
  expect(credentialsFromEnvironment({ ...place, OS_USERNAME: 'ann', OS_PASSWORD: '' })).toBeUndefined();
});

it('prints neither password nor token, whatever fails and whatever is printed', async () => {
  const token = 'canary-token-77aa';
  const server = await start(
    (_seen, reply) => reply.json(500, {}),
    (_seen, reply) => reply.token(token, 60),
  );
  const client = clientOf(server.url);
  const told = [
    inspect(await client.login(), { depth: 9, showHidden: true }),
    JSON.stringify(await client.login()),
  ];
  const failing = [
    client.secrets.get(id),
    new Coffer({ url: server.url, credentials: { type: 'token', token: `bad\n${token}` } }).secrets.get(id),
    clientOf(server.url, { retries: 0, timeoutMs: 1 }).login(),
    clientOf('http://127.0.0.1:1', { retries: 0 }).login(),
  ];
  for (const result of await Promise.allSettled(failing)) {
    if (result.status === 'rejected') {
      expect(result.reason).toBeInstanceOf(CofferError);
      told.push(inspect(result.reason, { depth: 9, showHidden: true }));
    }
  }
  told.push(inspect(client, { depth: 9, showHidden: true }), JSON.stringify(client));
  for (const text of told) {
    expect(text).not.toContain(PASSWORD);
    expect(text).not.toContain(token);
  }
});
