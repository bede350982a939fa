import { randomUUID } from 'node:crypto';
import type { Coffer } from '../coffer.ts';
import { isUuid } from '../crypto/encoding.ts';
import { wipe } from '../crypto/envelope.ts';
import type { Queryable } from '../db/open.ts';
import type { OrderRow, ProjectRow } from '../db/schema.ts';
import { deleteRow, insertRow, openRow, sealRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { openListed, operate, requireProject } from '../operation.ts';
import type { Action } from '../policy/actions.ts';
import type { Caller } from '../policy/actor.ts';
import type { Target } from '../policy/target.ts';
import { writeWithinQuota } from '../quotas/enforce.ts';
import { deleteLease, insertLease, type Lane } from './lease-queries.ts';
import { findProjectOrder, listOrders } from './queries.ts';
import { encodeRoles } from './record.ts';
import { formatMeta, type NewOrder, parseNewOrder } from './schema.ts';

type OrderId = string;

/** The name of the job that works on a lane. */
export const ORDER_JOBS: Readonly<Record<Lane, string>> = {
  key: 'key-orders',
  asymmetric: 'asymmetric-orders',
};

/** Submits an order. `readBody` gives the parsed JSON once the right is established. */
export async function createOrder(
  coffer: Coffer,
  caller: Caller,
  readBody: () => Promise<unknown>,
): Promise<OrderId> {
  const order = await operate(coffer, caller, {
    action: 'orders:post',
    name: 'Order creation',
    run: async () => {
      const { payloadBytesMax } = coffer.limits;
      const wanted = parseNewOrder(await readBody(), { now: coffer.clock.now(), payloadBytesMax });
      try {
        const project = await coffer.keyring.useProject(requireProject(caller));
        return await insertOrder(coffer, caller, project, wanted);
      } finally {
        if (wanted.passphrase !== null) wipe(wanted.passphrase);
      }
    },
  });
  coffer.wake(ORDER_JOBS[laneOf(order.type)]);
  return order.id;
}

async function insertOrder(
  coffer: Coffer,
  { actor }: Caller,
  project: ProjectRow,
  wanted: NewOrder,
): Promise<OrderRow> {
  const { db, keyring, clock } = coffer;
  const id = randomUUID();
  const sealed =
    wanted.passphrase && (await keyring.seal('order-passphrase', project, id, wanted.passphrase));
  const created = clock.now();
  const row = await sealRow(keyring, 'orders', {
    id,
    project_id: project.id,
    creator_id: actor.userId === '' ? null : actor.userId,
    credential_id: actor.applicationCredentialId,
    roles: encodeRoles(actor.roles),
    type: wanted.type,
    status: 'PENDING',
    meta: formatMeta(wanted.meta),
    error_status_code: null,
    error_reason: null,
    secret_id: null,
    container_id: null,
    payload_head: sealed?.payload_head ?? null,
    dek: sealed?.dek ?? null,
    created,
    updated: created,
    revision: 1n,
    epoch: project.active_epoch,
  });
  const insert = async (tx: Queryable): Promise<void> => {
    await insertRow(tx, 'orders', row, {
      unsealed: { payload_body: sealed?.payload_body ?? null },
      resting: { table: 'projects', id: project.id, seal: project.seal },
    });
    await insertLease(tx, row, laneOf(row.type));
  };
  await writeWithinQuota(coffer, project, 'orders', 'Order creation', async (tx) => {
    await (tx === db ? db.transaction(insert) : insert(tx));
  });
  return row;
}

function laneOf(type: string): Lane {
  return type === 'key' ? 'key' : 'asymmetric';
}

export async function getOrder(coffer: Coffer, caller: Caller, id: OrderId): Promise<OrderRow> {
  return await operate(coffer, caller, {
    ...onOrder(coffer, caller, id, 'order:get', 'Order retrieval'),
    run: async (order) => order,
  });
}

/** Deletes the order, whoever works on it; what it made stays. */
export async function deleteOrder(coffer: Coffer, caller: Caller, id: OrderId): Promise<void> {
  await operate(coffer, caller, {
    ...onOrder(coffer, caller, id, 'order:delete', 'Order deletion'),
    run: async (order) => {
      await coffer.db.transaction(async (tx) => {
        await deleteRow(tx, 'orders', order);
        await deleteLease(tx, order.id);
      });
    },
  });
}

/** Whether the caller may change orders: none can be changed. */
export async function refuseUpdate(coffer: Coffer, caller: Caller, refuse: () => Error): Promise<never> {
  return await operate(coffer, caller, {
    action: 'orders:put',
    name: 'Order update',
    run: async () => {
      throw refuse();
    },
  });
}

/** A page of the caller's project. A row that does not verify is left out, and counted. */
export async function listProjectOrders(
  coffer: Coffer,
  caller: Caller,
  metaPart: string | undefined,
  page: { offset: number; limit: number },
): Promise<{ orders: OrderRow[]; total: number }> {
  return await operate(coffer, caller, {
    action: 'orders:get',
    name: 'Order(s) retrieval',
    run: async () => {
      const projectId = requireProject(caller);
      const { rows, total } = await listOrders(coffer.db, projectId, metaPart, page);
      const asked = { project_id: projectId };
      return { orders: await openListed(coffer, caller, 'orders', asked, rows), total };
    },
  });
}

function onOrder(
  coffer: Coffer,
  caller: Caller,
  id: OrderId,
  action: Action,
  name: string,
): {
  action: Action;
  name: string;
  load: () => Promise<OrderRow>;
  target: (order: OrderRow) => Target & { id: string };
} {
  return {
    action,
    name,
    load: async () => {
      const projectId = requireProject(caller);
      const row = isUuid(id) ? await findProjectOrder(coffer.db, id, projectId) : undefined;
      if (row === undefined) throw new CofferError('not_found', 'Order not found.');
      return await openRow(coffer.keyring, 'orders', { id, project_id: projectId }, row);
    },
    target: ({ project_id, creator_id }) => ({
      id,
      projectId: project_id,
      creatorId: creator_id,
      readUsers: [],
      projectAccess: true,
    }),
  };
}
