import { expect } from 'vitest';
import type { Person } from '../harness/start-coffer.ts';
import type { Reply } from './raw-http.ts';

export type Meta = Record<string, unknown>;

export const KEY: Meta = { name: 'k', algorithm: 'aes', bit_length: 256, mode: 'cbc' };

export async function submit({ client }: Person, type: unknown, meta: unknown): Promise<Reply> {
  return await client.post('/v1/orders/', { type, meta });
}

/** Waits for the end of an order, and gives it as it is then. */
export async function finished({ client }: Person, reference: unknown): Promise<Meta> {
  let order: Meta = {};
  const status = async (): Promise<unknown> => {
    order = (await client.get(String(reference))).json as Meta;
    return order.status;
  };
  await expect.poll(status, { timeout: 45_000, interval: 20 }).not.toBe('PENDING');
  return order;
}

/** Submits an order and waits for its end. */
export async function order(person: Person, type: string, meta: Meta): Promise<Meta> {
  const reply = await submit(person, type, meta);
  expect([reply.status, reply.text]).toEqual([202, reply.text]);
  return await finished(person, reply.json.order_ref);
}
