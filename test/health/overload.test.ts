import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

let coffer: StartedCoffer;
beforeAll(async () => {
  coffer = await startCoffer({ env: { COFFER_REQUESTS_MAX: '2', COFFER_METRICS: '1' } });
});
afterAll(async () => await coffer.stop());

it('is live, and counts, while it turns requests away: it is busy, and not to be killed for that', async () => {
  const { stranger } = coffer;
  const busy = Array.from({ length: 8 }, async () => await coffer.logIn('nobody', 'wrong').catch(() => {}));
  await sleep(30);
  const [refused, live, metrics] = await Promise.all(
    ['/', '/health/live', '/metrics'].map(async (path) => await stranger.get(path)),
  );
  await Promise.all(busy);
  expect([refused?.status, live?.status, metrics?.status]).toEqual([503, 200, 200]);
});
