import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { afterEach, expect, it } from 'vitest';
import { type Running, rawRequest, startEdge, statusesOf } from './edge-server.ts';

let edge: Running;
afterEach(() => edge.app.close());

const ask = (path: string) => fetch(`${edge.url}${path}`, { headers: { 'x-auth-token': 'good' } });

/** Holds the requests to `/v1/slow` until it is opened, and counts those that came. */
function gate(): { open: () => void; came: () => number; guard: (app: FastifyInstance) => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  let came = 0;
  const guard = (app: FastifyInstance): void => {
    app.get('/v1/slow', { config: { actor: true } }, async () => {
      came += 1;
      await opened;
      return { done: true };
    });
  };
  return { open, came: () => came, guard };
}

it('answers 503 beyond its bound instead of letting requests wait, and probes all the same', async () => {
  const held = gate();
  edge = await startEdge({ limits: { inFlightMax: 4 } }, held.guard);
  const waiting = Array.from({ length: 4 }, () => ask('/v1/slow'));
  await expect.poll(held.came).toBe(4);
  const refused = await ask('/v1/slow');
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await refused.json()).toMatchObject({ code: 503, title: 'Service Unavailable' });
  expect((await ask('/v1/nothing')).status).toBe(503);
  expect((await ask('/health/live')).status).toBe(200);
  held.open();
  expect((await Promise.all(waiting)).map((answer) => answer.status)).toEqual([200, 200, 200, 200]);
  expect((await ask('/v1/slow')).status).toBe(200);
});

it('keeps count of requests whose clients went away until their work is done', async () => {
  const held = gate();
  edge = await startEdge({ limits: { inFlightMax: 3 } }, held.guard);
  const request = 'GET /v1/slow HTTP/1.1\r\nHost: x\r\nX-Auth-Token: good\r\n\r\n';
  const left = Array.from({ length: 3 }, () => connect(edge.port, '127.0.0.1'));
  for (const socket of left) socket.write(request);
  await expect.poll(held.came).toBe(3);
  await Promise.all(left.map(async (socket) => await once(socket.destroy(), 'close')));
  expect((await ask('/v1/secrets')).status).toBe(503);
  held.open();
  await expect.poll(async () => (await ask('/v1/secrets')).status).toBe(200);
});

it('bounds a pipeline of one connection as it bounds many', async () => {
  edge = await startEdge({ limits: { inFlightMax: 10 } }, (app) => {
    app.get('/v1/slow', { config: { actor: true } }, async () => {
      await sleep(50);
      return { done: true };
    });
  });
  const request = 'GET /v1/slow HTTP/1.1\r\nHost: x\r\nX-Auth-Token: good\r\n\r\n';
  const last = request.replace('Host: x', 'Host: x\r\nConnection: close');
  const answers = statusesOf(await rawRequest(edge.port, [request.repeat(99) + last], 20_000));
  expect(answers.filter((status) => status === 200).length).toBeGreaterThanOrEqual(10);
  expect(answers.filter((status) => status === 503).length).toBeGreaterThan(50);
  expect((await ask('/v1/secrets')).status).toBe(200);
});

it('does not count slow clients as work: waiting for bodies keeps nobody out', async () => {
  edge = await startEdge({ limits: { inFlightMax: 2 } });
  const slow =
    'POST /identity/v3/auth/tokens HTTP/1.1\r\nHost: x\r\n' +
    'Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{';
  const waiting = Array.from({ length: 10 }, () => rawRequest(edge.port, [slow], 400));
  await sleep(100);
  expect((await ask('/v1/secrets')).status).toBe(200);
  await Promise.all(waiting);
  await sleep(50);
  expect((await ask('/v1/secrets')).status).toBe(200);
});

it('turns requests away while its event loop lags, and says so in one line', async () => {
  edge = await startEdge({ limits: { loopDelayMaxMilliseconds: 40 } });
  const burn = setInterval(() => {
    const until = Date.now() + 150;
    while (Date.now() < until);
  }, 160);
  let refused = 0;
  for (let n = 0; n < 100 && refused < 3; n += 1) {
    if ((await ask('/v1/secrets')).status === 503) refused += 1;
    await sleep(100);
  }
  clearInterval(burn);
  expect(refused).toBe(3);
  await expect.poll(async () => (await ask('/v1/secrets')).status).toBe(200);
  expect(edge.lines.every((line) => line.message === 'requests refused: overloaded')).toBe(true);
  expect(edge.lines.length).toBeGreaterThan(0);
});

it('finishes what it began when it stops, and refuses what comes after on the same connection', async () => {
  const held = gate();
  edge = await startEdge({}, held.guard);
  const request = 'GET /v1/slow HTTP/1.1\r\nHost: x\r\nX-Auth-Token: good\r\n\r\n';
  const received = rawRequest(edge.port, [request + request.replace('slow', 'secrets')], 20_000);
  await expect.poll(held.came).toBe(1);
  const closed = edge.app.close();
  await sleep(50);
  held.open();
  const statuses = statusesOf(await received);
  expect(statuses[0]).toBe(200);
  await closed;
});

it('does not wait for connections that are kept open when it stops', async () => {
  const held = gate();
  edge = await startEdge({}, held.guard);
  const request = 'GET /v1/slow HTTP/1.1\r\nHost: x\r\nX-Auth-Token: good\r\n\r\n';
  const idle = connect(edge.port, '127.0.0.1');
  let answered = '';
  idle.on('data', (chunk) => (answered += chunk.toString()));
  idle.write(request.replace('slow', 'secrets'));
  await expect.poll(() => statusesOf(answered)).toEqual([200]);
  const busy = rawRequest(edge.port, [request], 60_000);
  await expect.poll(held.came).toBe(1);
  const ended = once(idle, 'close');
  const started = Date.now();
  const closed = edge.app.close();
  await sleep(50);
  held.open();
  await closed;
  // Far less than the time for which connections are kept.
  expect(Date.now() - started).toBeLessThan(10_000);
  await ended;
  expect(statusesOf(answered)).toEqual([200]);
  expect(await busy).toMatch(/connection: close/i);
});

it('drops connections beyond its bound', async () => {
  edge = await startEdge({ limits: { connectionsMax: 2 } });
  const accepted = async (): Promise<Socket> => {
    const socket = connect(edge.port, '127.0.0.1');
    await once(edge.app.server, 'connection');
    return socket;
  };
  const kept = [await accepted(), await accepted()];
  expect(await rawRequest(edge.port, ['GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'], 20_000)).toBe('');
  for (const socket of kept) socket.destroy();
  const status = async (): Promise<unknown> =>
    await ask('/health/live').then((answer) => answer.status, String);
  await expect.poll(status).toBe(200);
});
