import { afterAll, beforeAll, expect, it } from 'vitest';
import { updateRow } from '../../src/db/sealed.ts';
import type { OrderRow } from '../../src/db/schema.ts';
import { createOrderPurge } from '../../src/orders/purge.ts';
import type { Person, StartedCoffer } from '../harness/start-coffer.ts';
import { KEY, startWithoutWorker, submit, workOff, working } from '../orders/order-stage.ts';
import { startTwoStores } from './two-stores.ts';

const DAY_MS = 86_400_000;
const QUARTER_SECONDS = 90 * 86_400;

let coffer: StartedCoffer;
let person: Person;
beforeAll(async () => {
  coffer = await startWithoutWorker();
  person = await coffer.person(['creator', 'admin']);
});
afterAll(async () => await coffer.stop());

/** Orders that ended so many days ago, oldest first, as if the server had written them then. */
async function insertFinished(days: readonly number[], of = person, on = coffer): Promise<string[]> {
  const { db, keyring } = on.installation;
  const references: string[] = [];
  for (const day of days) {
    const reference = await submit(of, KEY);
    await workOff(on.server.coffer, 'key');
    const id = reference.slice(-36);
    const { rows } = await db.query<OrderRow>({ text: 'SELECT * FROM orders WHERE id = $1', values: [id] });
    await updateRow(db, keyring, 'orders', rows[0] as OrderRow, {
      updated: new Date(Date.now() - day * DAY_MS),
    });
    references.push(reference);
  }
  return references;
}

async function purge(afterSeconds: number, on = coffer): Promise<{ purged: number; violations: number }> {
  let [purged, violations] = [0, 0];
  const integrityViolations = { count: () => void (violations += 1) };
  const parts = { ...on.server.coffer, integrityViolations };
  const run = createOrderPurge(parts, afterSeconds, () => void (purged += 1));
  while ((await run(working)) === 'more');
  return { purged, violations };
}

const statusOf = async (reference: string): Promise<number> => (await person.client.get(reference)).status;

it('destroys finished orders after the time of the setting, and neither their keys nor waiting orders', async () => {
  const [old = '', recent = ''] = await insertFinished([91, 89]);
  const { secret_ref } = (await person.client.get(old)).json;
  const waiting = await submit(person, KEY);
  await coffer.installation.db.query({
    text: `UPDATE order_turns SET served = now() - interval '2 days'`,
  });
  expect(await purge(0)).toEqual({ purged: 0, violations: 0 });
  expect(await statusOf(old)).toBe(200);
  expect(await purge(QUARTER_SECONDS)).toEqual({ purged: 1, violations: 0 });
  expect([await statusOf(old), await statusOf(recent), await statusOf(waiting)]).toEqual([404, 200, 200]);
  expect(await statusOf(secret_ref)).toBe(200);
  expect((await coffer.installation.db.query({ text: 'SELECT 1 FROM order_turns' })).rows).toEqual([]);
  await workOff(coffer.server.coffer, 'key');
});

it('leaves an order whose row does not verify, counts it, and goes on', async () => {
  const [altered = '', sound = ''] = await insertFinished([95, 94]);
  await coffer.installation.db.query({
    text: `UPDATE orders SET meta = '{}' WHERE id = $1`,
    values: [altered.slice(-36)],
  });
  expect(await purge(QUARTER_SECONDS)).toEqual({ purged: 1, violations: 1 });
  expect([await statusOf(altered), await statusOf(sound)]).toEqual([500, 404]);
});

it('goes on past orders whose store is away, says so once, and destroys them when it is back', async () => {
  const stores = await startTwoStores();
  try {
    const { whole, half, there, here } = stores;
    const kept = await insertFinished([99, 98], there, whole);
    const [gone = ''] = await insertFinished([97], here, whole);
    expect(await purge(QUARTER_SECONDS, half)).toEqual({ purged: 1, violations: 0 });
    expect(stores.warnings()).toEqual(['ended orders are kept while their secret store is away']);
    expect((await here.client.get(gone)).status).toBe(404);
    for (const reference of kept) expect((await there.client.get(reference)).status).toBe(200);
    expect(await purge(QUARTER_SECONDS, whole)).toEqual({ purged: 2, violations: 0 });
    for (const reference of kept) expect((await there.client.get(reference)).status).toBe(404);
  } finally {
    await stores.stop();
  }
});
