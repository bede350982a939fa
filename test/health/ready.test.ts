import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

/** As many as the client has connections. */
const AT_ONCE = 32;
const ARRIVALS = 'http.server.request.start';

let coffer: StartedCoffer;
beforeAll(async () => {
  coffer = await startCoffer();
});
afterAll(async () => await coffer.stop());

it('asks the database once for all who ask at once whether it is ready', async () => {
  const { db } = coffer.installation;
  const query = db.query.bind(db);
  let asked = 0;
  let answer = (): void => undefined;
  const allAreThere = new Promise<void>((resolve) => (answer = resolve));
  db.query = async (statement) => {
    if (statement.text.includes('clock_timestamp() AS now')) asked += 1;
    await allAreThere;
    return await query(statement);
  };
  let arrived = 0;
  const arrive = (): void => void (arrived += 1);
  subscribe(ARRIVALS, arrive);
  const asking = Array.from({ length: AT_ONCE }, async () => await coffer.stranger.get('/health/ready'));
  await vi.waitFor(() => expect(arrived).toBe(AT_ONCE), 10_000);
  await nextTurn();
  answer();
  const replies = await Promise.all(asking);
  unsubscribe(ARRIVALS, arrive);
  db.query = query;
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
  expect(asked).toBe(1);
  expect((await coffer.stranger.get('/health/ready')).status).toBe(200);
});
