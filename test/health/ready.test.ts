import { afterAll, beforeAll, expect, it } from 'vitest';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

let coffer: StartedCoffer;
beforeAll(async () => {
  coffer = await startCoffer();
});
afterAll(async () => await coffer.stop());

it('asks the database once for all who ask at once whether it is ready', async () => {
  const { db } = coffer.installation;
  const query = db.query.bind(db);
  let asked = 0;
  db.query = async (statement) => {
    asked += 1;
    return await query(statement);
  };
  const replies = await Promise.all(
    Array.from({ length: 100 }, async () => await coffer.stranger.get('/health/ready')),
  );
  db.query = query;
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
  expect(asked).toBeLessThan(60);
  expect((await coffer.stranger.get('/health/ready')).status).toBe(200);
});
