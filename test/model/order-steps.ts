import { expect } from 'vitest';
import { createOrderRun } from '../../src/orders/execution.ts';
import type { Order, Secret } from './model.ts';
import { isAllowed, type Caller, type Step, type World } from './world.ts';

type Perform = (world: World, step: Step) => Promise<void>;
type Reply = Awaited<ReturnType<Caller['client']['get']>>;

const WANTED = {
  key: { type: 'key', algorithm: 'aes' },
  pair: { type: 'asymmetric', algorithm: 'ed25519' },
  impossible: { type: 'key', algorithm: 'ed25519' },
} as const;

/** Mostly keys: a pair takes longer than all other steps. */
function kindOf({ count }: Step): Order['kind'] {
  if (count === 1) return 'pair';
  return count === 2 ? 'impossible' : 'key';
}

const idOf = (reference: unknown): string => String(reference).slice(-36);

/** Orders of another project are as good as none. */
function isReached(reply: Reply, action: 'order:get' | 'order:delete', who: Caller, order: Order): boolean {
  if (order.project === who.project) return isAllowed(reply, action, who, order);
  expect(reply).toMatchObject({ status: 404 });
  return false;
}

/** Works off one lane, or both: what waited there has its end, and what was deleted made nothing. */
async function work({ coffer }: World, lanes: readonly ('key' | 'asymmetric')[]): Promise<void> {
  const running = new AbortController().signal;
  const rolesNow = async ({ roles }: { roles: readonly string[] }) => roles;
  for (const lane of lanes) {
    const run = createOrderRun({ coffer, rolesNow, countOutcome: () => {} }, lane);
    while ((await run(running)) === 'more');
  }
}

async function readMade(owner: Caller, order: Order, id: string): Promise<Secret> {
  const reply = await owner.client.get(`/v1/secrets/${id}/payload`);
  expect([reply.status, reply.bytes.length > 31]).toEqual([200, true]);
  return {
    id,
    project: order.project,
    creator: order.creator,
    name: order.name,
    acl: null,
    isDeleted: false,
    payload: reply.text,
    contentType: 'application/octet-stream',
    metadata: new Map(),
    consumers: [],
  };
}

/** From now on the model has what the order made, which nothing had before. */
async function finish({ model, callers }: World, order: Order): Promise<void> {
  const owner = callers.find(({ user }) => user === order.creator) as Caller;
  const { json } = await owner.client.get(`/v1/orders/${order.id}`);
  order.status = order.kind === 'impossible' ? 'ERROR' : 'ACTIVE';
  expect(json.status).toBe(order.status);
  if (order.kind === 'key') {
    order.result = idOf(json.secret_ref);
    model.secrets.push(await readMade(owner, order, order.result));
  } else if (order.kind === 'pair') {
    order.result = idOf(json.container_ref);
    const { secret_refs } = (await owner.client.get(`/v1/containers/${order.result}`)).json;
    const names = secret_refs.map(({ name }: { name: string }) => name).sort();
    expect(names).toEqual(['private_key', 'public_key']);
    const slots: { name: string; secret: Secret }[] = [];
    for (const { name, secret_ref } of secret_refs) {
      slots.push({ name, secret: await readMade(owner, order, idOf(secret_ref)) });
    }
    model.secrets.push(...slots.map(({ secret }) => secret));
    const { id: _order, kind: _kind, status: _status, result: id, ...thing } = order;
    model.containers.push({ ...thing, id, slots, consumers: [] });
  } else expect(json).toMatchObject({ error_status_code: '400' });
  const ids = [...model.secrets, ...model.containers].map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
}

/** Steps on orders; a worker comes by when a step says so, and never else. */
export const ORDER_STEPS: Readonly<Record<string, Perform>> = {
  'submit an order': async (world, step) => {
    const [who, kind] = [world.who(step), kindOf(step)];
    const { type, algorithm } = WANTED[kind];
    const meta = { name: step.text, algorithm, bit_length: 256 };
    const reply = await who.client.post('/v1/orders', { type, meta });
    if (!isAllowed(reply, 'orders:post', who)) return;
    if (world.model.isFull(who.project, 'orders')) {
      expect(reply.status).toBe(403);
      return;
    }
    expect(reply.status).toBe(202);
    world.model.orders.push({
      id: idOf(reply.json.order_ref),
      project: who.project,
      creator: who.user,
      name: step.text,
      acl: null,
      isDeleted: false,
      kind,
      status: 'PENDING',
      result: '',
    });
  },
  'have a worker come by': async (world, step) => {
    await work(world, step.flag ? ['key', 'asymmetric'] : ['key']);
    for (const order of world.model.orders) {
      if (order.isDeleted || order.status !== 'PENDING') continue;
      if (step.flag || order.kind !== 'pair') await finish(world, order);
    }
  },
  'get an order': async (world, step) => {
    const [who, order] = [world.who(step), world.order(step.at)];
    if (order === undefined) return;
    const reply = await who.client.get(`/v1/orders/${order.id}`);
    if (!isReached(reply, 'order:get', who, order)) return;
    const { status, type, creator_id, meta, secret_ref, container_ref } = reply.json;
    const { type: expected } = WANTED[order.kind];
    expect([status, type, creator_id, meta.name]).toEqual([
      order.status,
      expected,
      order.creator,
      order.name,
    ]);
    // It names what it made for good, whether that is still there or not.
    expect(idOf(secret_ref ?? container_ref ?? '')).toBe(order.result);
    expect(container_ref !== undefined).toBe(order.kind === 'pair' && order.status === 'ACTIVE');
  },
  'list orders': async (world, step) => {
    const who = world.who(step);
    const reply = await who.client.get(`/v1/orders?limit=${step.count + 1}&offset=${step.other % 3}`);
    if (!isAllowed(reply, 'orders:get', who)) return;
    const all = world.model.ordersOf(who.project).length;
    const shown = Math.max(0, Math.min(step.count + 1, all - (step.other % 3)));
    expect([reply.json.total, reply.json.orders.length]).toEqual([all, shown]);
  },
  'delete an order': async (world, step) => {
    const [who, order] = [world.who(step), world.order(step.at)];
    if (order === undefined) return;
    const reply = await who.client.delete(`/v1/orders/${order.id}`);
    if (!isReached(reply, 'order:delete', who, order)) return;
    expect(reply.status).toBe(204);
    order.isDeleted = true;
  },
};
