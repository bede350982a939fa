import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Coffer } from '../../src/coffer.ts';
import type { Db } from '../../src/db/open.ts';
import { createOrderRun } from '../../src/orders/execution.ts';
import { attack, columnAttacks, copyRow, exchange, restore, tamperableColumns } from './tamper-sql.ts';
import type { Person } from '../harness/start-coffer.ts';
import { readyForAttacks, setStage, type Stage } from './tamper-stage.ts';

// Whoever writes the database changes what was ordered, by whom, with which rights, and what came of it.

const NEW_ID = '11111111-2222-4333-8444-555555555555';
const PAIR = { type: 'asymmetric', meta: { algorithm: 'ed25519', bit_length: 256, passphrase: 'words' } };
let stage: Stage;
let coffer: Coffer;
let db: Db;
let orders: Record<'waiting' | 'another' | 'foreign', string>;
let secretsBefore: bigint;

const submit = async ({ client }: Person): Promise<string> =>
  String((await client.post('/v1/orders', PAIR)).json.order_ref).slice(-36);

const countSecrets = async (): Promise<bigint> =>
  (await db.query<{ n: bigint }>({ text: 'SELECT count(*) AS n FROM secrets' })).rows[0]!.n;

beforeAll(async () => {
  stage = await setStage({ COFFER_WORKER: 'off' });
  ({ coffer } = stage.coffer.server);
  ({ db } = coffer);
  orders = {
    waiting: await submit(stage.alice),
    another: await submit(stage.alice),
    foreign: await submit(stage.bob),
  };
  await db.query({ text: 'CREATE TABLE kept_leases AS TABLE order_leases' });
  await db.query({ text: 'CREATE TABLE kept_secrets AS SELECT id FROM secrets' });
  await readyForAttacks(stage);
  secretsBefore = await countSecrets();
});
afterAll(async () => await stage.coffer.stop());

/** The worker comes by, for the order that was altered alone. */
async function work(): Promise<void> {
  await db.query({ text: 'DELETE FROM order_leases' });
  await db.query({
    text: 'INSERT INTO order_leases SELECT * FROM kept_leases WHERE order_id = $1',
    values: [orders.waiting],
  });
  await createOrderRun(
    { coffer, rolesNow: async ({ roles }) => roles, countOutcome: () => {} },
    'asymmetric',
  )(new AbortController().signal);
}

async function undo(): Promise<void> {
  await restore(db, ['orders']);
  await db.query({ text: 'DELETE FROM secrets WHERE id NOT IN (SELECT id FROM kept_secrets)' });
}

const listed = async ({ client }: Person): Promise<string[]> =>
  ((await client.get('/v1/orders')).json.orders as { order_ref: string }[]).map(({ order_ref }) =>
    order_ref.slice(-36),
  );

describe('an order', () => {
  it('with any column changed, emptied or exchanged is not shown, and nothing is made of it', async () => {
    const attacks = await columnAttacks(db, 'orders', orders.waiting, [orders.another, orders.foreign]);
    expect(attacks.length).toBeGreaterThan(1.5 * tamperableColumns('orders').size);
    for (const { name, statements } of attacks) {
      await attack(db, statements);
      // The body is not read with the order: its head, in the seal, stands for it when it is opened.
      if (!name.startsWith('payload_body ')) {
        for (const person of [stage.alice, stage.bob]) {
          const reply = await person.client.get(`/v1/orders/${orders.waiting}`);
          expect([name, [404, 500].includes(reply.status)]).toEqual([name, true]);
          expect([name, await listed(person)]).toEqual([name, expect.not.arrayContaining([orders.waiting])]);
        }
      }
      await work();
      expect([name, await countSecrets()]).toEqual([name, secretsBefore]);
      await undo();
    }
    await work();
    expect(await countSecrets()).toBe(secretsBefore + 3n);
    await undo();
  });

  it('of another project is not had by exchange or copy, nor done twice', async () => {
    const all = [...tamperableColumns('orders').keys()].filter((name) => name !== 'id');
    const { projectId } = stage.alice;
    for (const statement of [
      exchange('orders', all, orders.waiting, orders.foreign),
      exchange('orders', ['roles', 'creator_id'], orders.waiting, orders.foreign),
      copyRow('orders', orders.foreign, { id: `'${NEW_ID}'`, project_id: `'${projectId}'` }),
      copyRow('orders', orders.another, { id: `'${NEW_ID}'` }),
    ]) {
      await attack(db, [statement]);
      const seen = await listed(stage.alice);
      expect([statement, seen]).toEqual([statement, expect.not.arrayContaining([NEW_ID, orders.foreign])]);
      expect((await stage.alice.client.get(`/v1/orders/${NEW_ID}`)).status).not.toBe(200);
      if (statement.startsWith('UPDATE')) {
        await work();
        expect([statement, await countSecrets()]).toEqual([statement, secretsBefore]);
      }
      await undo();
    }
  });
});
