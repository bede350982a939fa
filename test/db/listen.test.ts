import { Socket } from 'node:net';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { listen } from '../../src/db/listen.ts';
import { proxyTo } from '../serve/database-proxy.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => await database.drop());

const count = async (): Promise<number> => {
  const { rows } = await database.db.query<{ n: bigint }>({
    text: `SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN news'`,
  });
  return Number(rows[0]?.n);
};

it('hears messages, says when it may have missed some, and comes back with one connection', async () => {
  const heard: (string | undefined)[] = [];
  const db = database.open({ connectionsMax: 2 });
  const listener = listen(db, 'news', (payload) => heard.push(payload));
  await expect.poll(() => heard).toEqual([undefined]);
  await database.db.query({ text: `NOTIFY news, 'first'` });
  await expect.poll(() => heard).toEqual([undefined, 'first']);
  for (let round = 0; round < 2; round += 1) {
    heard.length = 0;
    await database.db.query({
      text: `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query = 'LISTEN news' AND pid <> pg_backend_pid()`,
    });
    await expect.poll(() => heard).toEqual([undefined]);
  }
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect([await count(), db.pool.totalCount]).toEqual([1, 1]);
  await database.db.query({ text: `NOTIFY news, 'second'` });
  await expect.poll(() => heard).toEqual([undefined, 'second']);
  await listener.close();
  await expect.poll(count).toBe(0);
  expect(db.pool.totalCount).toBe(0);
});

it('can be closed before it is connected, and while the database is away', async () => {
  const db = database.open();
  await listen(db, 'news', () => {}).close();
  const nowhere = database.open({ connection: 'postgres://nobody@127.0.0.1:1/none' });
  const waiting = listen(nowhere, 'news', () => {});
  await new Promise((resolve) => setTimeout(resolve, 100));
  await waiting.close();
  expect(nowhere.pool.totalCount).toBe(0);
});

it('notices that the other end of its connection is gone, and makes a new one', async () => {
  const proxy = await proxyTo(database.url);
  const keepAlive = vi.spyOn(Socket.prototype, 'setKeepAlive');
  const db = database.open({ connection: proxy.url, connectionsMax: 2 });
  const heard: (string | undefined)[] = [];
  const listener = listen(db, 'tidings', (payload) => heard.push(payload), {
    everyMs: 100,
    timeoutMs: 1_000,
  });
  const hears = async (payload: string): Promise<void> => {
    const text = `NOTIFY tidings, '${payload}'`;
    await expect.poll(async () => (await database.db.query({ text }), heard)).toContain(payload);
  };
  await hears('first');
  expect(keepAlive).toHaveBeenCalledWith(true, 10_000);
  proxy.forget();
  heard.length = 0;
  await hears('second');
  // What it may have missed comes first.
  expect(heard[0]).toBeUndefined();
  await listener.close();
  await proxy.close();
  keepAlive.mockRestore();
});
