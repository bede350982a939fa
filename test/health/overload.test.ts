import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

let coffer: StartedCoffer;
beforeAll(async () => {
  coffer = await startCoffer({ env: { COFFER_REQUESTS_MAX: '2', COFFER_METRICS: '1' } });
});
afterAll(async () => await coffer.stop());

it('is live, and counts, while it turns requests away: it is busy, and not to be killed for that', async () => {
  const { stranger } = coffer;
  const { db } = coffer.installation;
  const query = db.query.bind(db);
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  db.query = async (statement) => {
    if (statement.name === 'user-by-name') await gate;
    return await query(statement);
  };
  let refusals = 0;
  const busy = Array.from({ length: 8 }, async () => {
    await coffer.logIn('nobody', 'wrong').catch(() => (refusals += 1));
  });
  try {
    await vi.waitFor(() => expect(refusals).toBe(6), 10_000);
    const [refused, live, metrics] = await Promise.all(
      ['/', '/health/live', '/metrics'].map(async (path) => await stranger.get(path)),
    );
    expect([refused?.status, live?.status, metrics?.status]).toEqual([503, 200, 200]);
  } finally {
    open();
    await Promise.all(busy);
    db.query = query;
  }
});
