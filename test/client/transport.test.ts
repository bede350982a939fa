import { afterEach, expect, it } from 'vitest';
import { Coffer, CofferError } from '../../src/client/index.ts';
import { clientOf, PASSWORD, type Script, scriptedServers } from './scripted-server.ts';

const id = '3b6c1a52-7d5e-4f0a-9c1b-2a3d4e5f6071';
const { start, closeAll } = scriptedServers();

afterEach(closeAll);

async function failureOf(work: Promise<unknown>): Promise<CofferError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CofferError);
  return error as CofferError;
}

const bytes: Script = (_seen, reply) => {
  reply.raw.writeHead(200, { 'content-type': 'application/octet-stream' });
  reply.raw.end('value');
};

it('does no input or output when made', async () => {
  const server = await start(bytes);
  clientOf(server.url);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(server.seen).toHaveLength(0);
});

it.each([429, 502, 503, 504])('repeats a read after %i and then succeeds', async (status) => {
  const server = await start((seen, reply, count) =>
    count < 2 ? reply.json(status, { title: 'Busy' }) : bytes(seen, reply, count),
  );
  expect((await clientOf(server.url).secrets.payload(id)).text()).toBe('value');
  expect(server.calls()).toHaveLength(3);
});

it('waits as long as Retry-After says', async () => {
  const server = await start((seen, reply, count) =>
    count < 1 ? reply.json(503, {}, { 'retry-after': '1' }) : bytes(seen, reply, count),
  );
  const began = performance.now();
  await clientOf(server.url).secrets.payload(id);
  expect(performance.now() - began).toBeGreaterThanOrEqual(990);
});

it('gives up at once when Retry-After lies past the deadline, and says that a repeat may help', async () => {
  const server = await start((_seen, reply) => reply.json(503, {}, { 'retry-after': '600' }));
  const error = await failureOf(clientOf(server.url, { deadlineMs: 30_000 }).secrets.payload(id));
  expect(error).toMatchObject({ code: 'unavailable', status: 503, retryable: true, retryAfterSeconds: 600 });
  expect(server.calls()).toHaveLength(1);
});

it('stops after the retries it was given', async () => {
  const server = await start((_seen, reply) => reply.json(503, {}));
  const error = await failureOf(clientOf(server.url, { retries: 2 }).secrets.payload(id));
  expect(error.code).toBe('unavailable');
  expect(server.calls()).toHaveLength(3);
});

it('repeats a creation that was refused with 503 or 429', async () => {
  const server = await start((_seen, reply, count) => {
    if (count < 2) reply.json(count === 0 ? 503 : 429, {});
    else reply.json(201, { secret_ref: `http://elsewhere/v1/secrets/${id}` });
  });
  expect((await clientOf(server.url).secrets.create({ payload: 'x' })).id).toBe(id);
  expect(server.calls()).toHaveLength(3);
});

it.each([500, 502, 504])('never repeats a creation that was answered %i', async (status) => {
  const server = await start((_seen, reply) => reply.json(status, {}));
  const error = await failureOf(clientOf(server.url).secrets.create({ payload: 'x' }));
  expect(error).toMatchObject({ status, retryable: false });
  expect(server.calls()).toHaveLength(1);
});

it('never repeats a creation whose connection broke', async () => {
  const server = await start((_seen, reply) => reply.cut());
  const error = await failureOf(clientOf(server.url).secrets.create({ payload: 'x' }));
  expect(error).toMatchObject({ code: 'network', status: undefined, retryable: false });
  expect(server.calls()).toHaveLength(1);
});

it('repeats a read whose connection broke', async () => {
  const server = await start((seen, reply, count) => (count === 0 ? reply.cut() : bytes(seen, reply, count)));
  expect((await clientOf(server.url).secrets.payload(id)).text()).toBe('value');
});

it('repeats a creation while nothing listens, since it cannot have been processed', async () => {
  const credentials = { type: 'token', token: 'tok' } as const;
  // Port 2: no system gives it out, and `fetch` does not refuse it by itself, as it does port 1.
  const dead = new Coffer({ url: 'http://127.0.0.1:2', credentials, retryDelayMs: 1, retries: 2 });
  const error = await failureOf(dead.secrets.create({ payload: 'x' }));
  expect(error).toMatchObject({ code: 'network', retryable: true });
  expect(error.message).toContain('ECONNREFUSED');
});

it('takes a 404 as done when its own earlier delete lost its answer, and as an error otherwise', async () => {
  const gone: Script = (_seen, reply) =>
    reply.json(404, { title: 'Not Found', description: 'Secret not found.' });
  const lost = await start((seen, reply, count) => (count === 0 ? reply.cut() : gone(seen, reply, count)));
  await clientOf(lost.url).secrets.delete(id);
  const missing = await start(gone);
  expect(await failureOf(clientOf(missing.url).secrets.delete(id))).toMatchObject({ code: 'not_found' });
});

it('takes a conflict as done when its own upload with a lost answer stored just these bytes', async () => {
  const script =
    (stored: string): Script =>
    (seen, reply, count) => {
      if (seen.method === 'GET') reply.raw.end(stored);
      else if (count === 0) reply.cut();
      else reply.json(409, { title: 'Conflict' });
    };
  const same = await start(script('value'));
  await clientOf(same.url).secrets.uploadPayload(id, 'value');
  const other = await start(script('another'));
  expect(await failureOf(clientOf(other.url).secrets.uploadPayload(id, 'value'))).toMatchObject({
    status: 409,
  });
});

it.each([301, 302, 303, 307, 308])(
  'does not follow a redirect of status %i with its token',
  async (status) => {
    const thief = await start(bytes);
    const server = await start((_seen, reply) =>
      reply.json(status, {}, { location: `${thief.url}/v1/x?q=1` }),
    );
    const error = await failureOf(clientOf(server.url).secrets.payload(id));
    expect(error).toMatchObject({ code: 'redirected', retryable: false });
    expect(error.message).toContain(thief.url);
    expect(error.message).not.toContain('q=1');
    expect(thief.seen).toHaveLength(0);
  },
);

it('does not follow a redirect of the login with its password', async () => {
  const thief = await start(bytes);
  const server = await start(bytes, (_seen, reply) => reply.json(307, {}, { location: thief.url }));
  expect(await failureOf(clientOf(server.url).login())).toMatchObject({ code: 'redirected' });
  expect(thief.seen).toHaveLength(0);
});

it('ends an attempt that takes too long, before the headers and in the middle of the body', async () => {
  const silent = await start(() => undefined);
  const options = { timeoutMs: 60, retries: 0 };
  const error = await failureOf(clientOf(silent.url, options).secrets.payload(id));
  expect(error).toMatchObject({ code: 'timeout', retryable: true });
  const stuck = await start((_seen, reply) => {
    reply.raw.writeHead(200, { 'content-length': '100' });
    reply.raw.write('part');
  });
  expect(await failureOf(clientOf(stuck.url, options).secrets.payload(id))).toMatchObject({
    code: 'timeout',
  });
});

it('ends at its deadline, whatever retries are left', async () => {
  const silent = await start(() => undefined);
  const began = performance.now();
  const options = { timeoutMs: 100, deadlineMs: 250, retries: 50 };
  await failureOf(clientOf(silent.url, options).secrets.payload(id));
  expect(performance.now() - began).toBeLessThan(4_500);
  expect(silent.calls().length).toBeLessThanOrEqual(4);
});

it.each(['before the call', 'during an answer', 'during a pause'])('stops on its signal %s', async (when) => {
  const server = await start((_seen, reply) => {
    if (when === 'during a pause') reply.json(503, {}, { 'retry-after': '20' });
  });
  const client = clientOf(server.url);
  await client.login();
  const controller = new AbortController();
  if (when === 'before the call') controller.abort();
  else setTimeout(() => controller.abort(), 80);
  const began = performance.now();
  const error = await failureOf(client.secrets.payload(id, { signal: controller.signal }));
  expect(error).toMatchObject({ code: 'aborted', retryable: false });
  expect(performance.now() - began).toBeLessThan(9_000);
});

it('tells code, status and request id of what a server refuses, in each of its four shapes', async () => {
  const shapes = [
    { code: 403, title: 'Forbidden', description: 'no rights' },
    { error: { code: 403, title: 'Forbidden', message: 'no rights' } },
    { message: 'no rights', code: '403 Forbidden', title: 'Forbidden' },
  ];
  for (const shape of shapes) {
    const server = await start((_seen, reply) =>
      reply.json(403, shape, { 'x-openstack-request-id': 'req-7' }),
    );
    const error = await failureOf(clientOf(server.url).secrets.get(id));
    expect(error).toMatchObject({ code: 'forbidden', status: 403, requestId: 'req-7', retryable: false });
    expect(error.message).toBe('Forbidden: no rights');
  }
  const plain = await start((_seen, reply) => {
    reply.raw.writeHead(500, { 'content-type': 'text/plain' });
    reply.raw.end('oh');
  });
  const error = await failureOf(clientOf(plain.url).secrets.get(id));
  expect(error).toMatchObject({ code: 'internal', message: 'the server answered 500' });
});

it('says that an answer which is no JSON is none', async () => {
  const server = await start((_seen, reply) => void reply.raw.end('<html>'));
  expect(await failureOf(clientOf(server.url).secrets.get(id))).toMatchObject({
    code: 'protocol',
    status: 200,
  });
});

it('refuses plain http to another machine unless that is allowed', async () => {
  for (const url of [
    'http://vault.example:9311',
    'http://10.0.0.7',
    'http://127.0.0.1.example.org',
    'http://0.0.0.0:2',
  ]) {
    expect(await failureOf(clientOf(url).secrets.get(id))).toMatchObject({ code: 'insecure' });
  }
  const allowed = clientOf('http://0.0.0.0:2', { allowInsecure: true, retries: 0 });
  expect(await failureOf(allowed.secrets.get(id))).toMatchObject({ code: 'network' });
});

it('refuses an address that is none or that holds credentials, without repeating them', async () => {
  for (const url of ['vault', 'ftp://x', `http://u:${PASSWORD}@127.0.0.1`, 'https://x/?a=1']) {
    const error = await failureOf(clientOf(url).secrets.get(id));
    expect(error.code).toBe('configuration');
    expect(error.message).not.toContain(PASSWORD);
  }
});

it('refuses what is neither an id nor a reference, without a request', async () => {
  const server = await start(bytes);
  for (const text of ['', 'name', '../x', `${id}/payload`, 'https://h/v1/containers/' + id]) {
    expect(await failureOf(clientOf(server.url).secrets.get(text))).toMatchObject({ code: 'bad_request' });
  }
  expect(server.seen).toHaveLength(0);
});

it('takes a reference of another host, and asks its own server', async () => {
  const server = await start(bytes);
  await clientOf(server.url).secrets.payload(`https://former.example/v1/secrets/${id}`);
  expect(server.calls()[0]?.path).toBe(`/v1/secrets/${id}/payload`);
});
