import { expect } from 'vitest';
import type { Coffer } from '../../src/coffer.ts';
import { createPresentRoles } from '../../src/identity/present-roles.ts';
import { createOrderRun } from '../../src/orders/execution.ts';
import type { Lane } from '../../src/orders/lease-queries.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

export const KEY = { type: 'key', meta: { name: 'ordered', algorithm: 'aes', bit_length: 256 } };
export const PAIR = {
  type: 'asymmetric',
  meta: { name: 'ordered', algorithm: 'ed25519', bit_length: 256, passphrase: 'pass phrase' },
};

export const working = new AbortController().signal;

/** A server that leaves all work to the test. */
export async function startWithoutWorker(): Promise<StartedCoffer> {
  return await startCoffer({ env: { COFFER_WORKER: 'off' } });
}

export function runOf(coffer: Coffer, lane: Lane): (signal: AbortSignal) => Promise<'more' | 'done'> {
  return createOrderRun({ coffer, rolesNow: createPresentRoles(coffer), countOutcome: () => {} }, lane);
}

export async function submit({ client }: Person, body: object): Promise<string> {
  const reply = await client.post('/v1/orders', body);
  expect(reply.status, reply.text).toBe(202);
  return String(reply.json.order_ref);
}

/** Works until nothing is due. */
export async function workOff(coffer: Coffer, lane: Lane): Promise<void> {
  const run = runOf(coffer, lane);
  while ((await run(working)) === 'more');
}

/** As when the time of every lease is over. */
export async function endLeases({ db }: Coffer): Promise<void> {
  await db.query({ text: 'UPDATE order_leases SET due = now()' });
}

export interface Left {
  orders: number;
  secrets: number;
  containers: number;
  leases: number;
}

/** What there is of a project. */
export async function countOf({ db }: Coffer, projectId: string): Promise<Left> {
  const count = async (table: string): Promise<number> => {
    const text = `SELECT count(*) AS n FROM ${table} WHERE project_id = $1`;
    const { rows } = await db.query<{ n: bigint }>({ text, values: [projectId] });
    return Number(rows[0]?.n);
  };
  return {
    orders: await count('orders'),
    secrets: await count('secrets'),
    containers: await count('containers'),
    leases: await count('order_leases'),
  };
}

/** As if nothing had ever been there. */
export async function empty({ db }: Coffer, projectId: string): Promise<void> {
  for (const table of ['orders', 'secrets', 'containers', 'order_leases', 'order_turns']) {
    await db.query({ text: `DELETE FROM ${table} WHERE project_id = $1`, values: [projectId] });
  }
}
