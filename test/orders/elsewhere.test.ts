import { expect, it } from 'vitest';
import type { Coffer } from '../../src/coffer.ts';
import { createOrderRun } from '../../src/orders/execution.ts';
import { startTwoStores, type TwoStores } from '../worker/two-stores.ts';
import { countOf, endLeases, KEY, PAIR, submit, workOff, working } from './order-stage.ts';

const LANES = ['key', 'asymmetric'] as const;

async function onTwoStores(
  lacks: 'store' | 'master key',
  use: (stores: TwoStores) => Promise<void>,
): Promise<void> {
  const stores = await startTwoStores(lacks);
  try {
    await use(stores);
  } finally {
    await stores.stop();
  }
}

/** What each attempt on a node came to, over more of them than an order has. */
async function tryOften(coffer: Coffer, damaged: string[]): Promise<string[]> {
  const outcomes: string[] = [];
  const integrityViolations = { count: (where: string) => void damaged.push(where) };
  const work = {
    coffer: { ...coffer, integrityViolations },
    rolesNow: async ({ roles }: { roles: readonly string[] }) => roles,
    countOutcome: (_lane: string, outcome: string) => void outcomes.push(outcome),
  };
  for (let attempt = 0; attempt < 7; attempt += 1) {
    for (const lane of LANES) await createOrderRun(work, lane)(working);
    await endLeases(coffer);
  }
  return outcomes;
}

interface Rest {
  attempts: bigint;
  seconds: number;
}

/** The rests after one attempt at each order on a node, at most: counted from before it. */
async function restsOn(coffer: Coffer): Promise<Rest[]> {
  await endLeases(coffer);
  const { rows: before } = await coffer.db.query<{ now: Date }>({ text: 'SELECT now() AS now' });
  for (const lane of LANES) await workOff(coffer, lane);
  const { rows } = await coffer.db.query<Rest>({
    text: `SELECT attempts, extract(epoch FROM due - $1::timestamptz)::float8 AS seconds FROM order_leases`,
    values: [before[0]?.now],
  });
  return rows;
}

const CASES = [
  { lacks: 'store', violations: 0, least: 15 },
  { lacks: 'master key', violations: 14, least: 300 },
] as const;

it.each(CASES)(
  'keeps orders waiting where the $lacks of their keys is missing, however often, for a node that has it',
  async ({ lacks, violations, least }) => {
    await onTwoStores(lacks, async ({ whole, half, there, here }) => {
      const orders = [await submit(there, KEY), await submit(there, PAIR)];
      const damaged: string[] = [];
      const outcomes = await tryOften(half.server.coffer, damaged);
      expect(outcomes).toEqual(Array.from({ length: 14 }, () => 'retried'));
      expect(damaged).toEqual(Array.from({ length: violations }, () => 'orders'));
      const rests = await restsOn(half.server.coffer);
      expect(rests.map(({ attempts }) => attempts)).toEqual([0n, 0n]);
      for (const { seconds } of rests) expect(seconds).toBeGreaterThan(least);

      const mine = await submit(here, KEY);
      await workOff(half.server.coffer, 'key');
      expect((await here.client.get(mine)).json.status).toBe('ACTIVE');

      await endLeases(whole.server.coffer);
      for (const lane of LANES) await workOff(whole.server.coffer, lane);
      for (const order of orders) expect((await there.client.get(order)).json.status).toBe('ACTIVE');
      const left = await countOf(whole.server.coffer, there.projectId);
      expect(left).toEqual({ orders: 2, secrets: 4, containers: 1, leases: 0 });
    });
  },
);
