import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { MIGRATIONS } from '../../migrations/index.ts';
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

it('answers HEAD to balancers and monitors as GET, without the body', async () => {
  for (const path of ['/healthcheck', '/health/live', '/health/ready']) {
    const [got, head] = [await coffer.stranger.get(path), await coffer.stranger.send('HEAD', path)];
    expect([path, got.status, head.status, head.text]).toEqual([path, 200, 200, '']);
    for (const name of ['content-type', 'content-length', 'cache-control']) {
      expect([name, head.headers[name]]).toEqual([name, got.headers[name]]);
    }
    const { status, headers } = await coffer.stranger.send('PUT', path);
    expect([status, headers['allow']]).toEqual([405, 'GET, HEAD']);
  }
});

it('is ready on the schema of a newer version, starts on it until that is finished, and not on an older one', async () => {
  const latest = MIGRATIONS.at(-1)!.number;
  const { db } = coffer.installation;
  const change = async (text: string): Promise<void> => void (await db.query({ text }));
  const ready = async (): Promise<[number, unknown]> => {
    const { status, json } = await coffer.stranger.get('/health/ready');
    return [status, json.reason];
  };
  await change(
    `INSERT INTO schema_migrations (number, name, applied) VALUES (${latest + 1}, 'newer', now())`,
  );
  expect(await ready()).toEqual([200, undefined]);
  const other = await startCoffer({ beside: coffer });
  expect((await other.stranger.get('/health/ready')).status).toBe(200);
  await other.stop();

  await change('UPDATE schema_migrations SET finished = now()');
  expect(await ready()).toEqual([200, undefined]);
  await expect(startCoffer({ beside: coffer })).rejects.toThrow('Install the newer Coffer');

  await change(`DELETE FROM schema_migrations WHERE number >= ${latest}`);
  expect(await ready()).toEqual([503, expect.stringContaining('Run: coffer migrate')]);
});
