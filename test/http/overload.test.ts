import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { type Running, rawRequest, startEdge, statusesOf } from './edge-server.ts';

let edge: Running;
afterEach(() => edge.app.close());

const ask = (path: string) => fetch(`${edge.url}${path}`, { headers: { 'x-auth-token': 'good' } });

function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

it('answers 503 beyond its bound instead of letting requests wait, and probes all the same', async () => {
  const held = gate();
  edge = await startEdge({ limits: { inFlightMax: 4 } }, (app) => {
    app.get('/v1/slow', { config: { actor: true } }, async () => {
      await held.opened;
      return { done: true };
    });
  });
  const waiting = Array.from({ length: 4 }, () => ask('/v1/slow'));
  await sleep(100);
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
  edge = await startEdge({ limits: { inFlightMax: 3 } }, (app) => {
    app.get('/v1/slow', { config: { actor: true } }, async () => {
      await held.opened;
      return { done: true };
    });
  });
  const request = 'GET /v1/slow HTTP/1.1\r\nHost: x\r\nX-Auth-Token: good\r\n\r\n';
  for (let n = 0; n < 3; n += 1) await rawRequest(edge.port, [request], 50);
  expect((await ask('/v1/secrets')).status).toBe(503);
  held.open();
  await sleep(50);
  expect((await ask('/v1/secrets')).status).toBe(200);
});

it('bounds a pipeline of one connection as it bounds many', async () => {
  edge = await startEdge({ limits: { inFlightMax: 10 } }, (app) => {
    app.get('/v1/slow', { config: { actor: true } }, async () => {
      await sleep(50);
      return { done: true };
    });
  });
  const request = 'GET /v1/slow HTTP/1.1\r\nHost: x\r\nX-Auth-Token: good\r\n\r\n';
  const answers = statusesOf(await rawRequest(edge.port, [request.repeat(100)]));
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
  for (let n = 0; n < 12 && refused < 3; n += 1) {
    if ((await ask('/v1/secrets')).status === 503) refused += 1;
    await sleep(100);
  }
  clearInterval(burn);
  expect(refused).toBe(3);
  await sleep(1_200);
  expect((await ask('/v1/secrets')).status).toBe(200);
  expect(edge.lines.every((line) => line.message === 'requests refused: overloaded')).toBe(true);
  expect(edge.lines.length).toBeGreaterThan(0);
});

it('finishes what it began when it stops, and refuses what comes after on the same connection', async () => {
  const held = gate();
  edge = await startEdge({}, (app) => {
    app.get('/v1/slow', { config: { actor: true } }, async () => {
      await held.opened;
      return { done: true };
    });
  });
  const request = 'GET /v1/slow HTTP/1.1\r\nHost: x\r\nX-Auth-Token: good\r\n\r\n';
  const received = rawRequest(edge.port, [request + request.replace('slow', 'secrets')]);
  await sleep(100);
  const closed = edge.app.close();
  await sleep(50);
  held.open();
  const statuses = statusesOf(await received);
  expect(statuses[0]).toBe(200);
  await closed;
});

it('does not wait for connections that are kept open when it stops', async () => {
  const held = gate();
  edge = await startEdge({}, (app) => {
    app.get('/v1/slow', { config: { actor: true } }, async () => {
      await held.opened;
      return { done: true };
    });
  });
  const request = 'GET /v1/slow HTTP/1.1\r\nHost: x\r\nX-Auth-Token: good\r\n\r\n';
  const idle = rawRequest(edge.port, [request.replace('slow', 'secrets')], 5_000);
  const busy = rawRequest(edge.port, [request], 5_000);
  await sleep(100);
  const started = Date.now();
  const closed = edge.app.close();
  await sleep(50);
  held.open();
  await closed;
  expect(Date.now() - started).toBeLessThan(1_000);
  expect(statusesOf(await idle)).toEqual([200]);
  expect(await busy).toMatch(/connection: close/i);
});

it('drops connections beyond its bound', async () => {
  edge = await startEdge({ limits: { connectionsMax: 2 } });
  const kept = [rawRequest(edge.port, [], 300), rawRequest(edge.port, [], 300)];
  await sleep(50);
  expect(await rawRequest(edge.port, ['GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'], 200)).toBe('');
  await Promise.all(kept);
  expect((await ask('/health/live')).status).toBe(200);
});
