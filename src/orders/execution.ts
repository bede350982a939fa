import type { Coffer } from '../coffer.ts';
import { openRow, StaleRow } from '../db/sealed.ts';
import { CofferError, ProjectGone } from '../errors.ts';
import { operate } from '../operation.ts';
import type { Caller } from '../policy/actor.ts';
import { failed, OPERATION, refusalOf } from './generation.ts';
import { endLease, extendLease, giveLeaseBack, type Lane, type Lease, takeLease } from './lease-queries.ts';
import { findOrder, type OrderWithPassphrase } from './queries.ts';
import { decodeRoles } from './record.ts';
import { finishInError, finishWell, generate, LostLease, type Material, wipeMaterial } from './results.ts';

/** Who submitted an order, and with which roles. */
export interface Submitter {
  userId: string;
  projectId: string;
  credentialId: string | null;
  roles: readonly string[];
}

export interface OrderWork {
  coffer: Coffer;
  /** The roles that the submitter has now; none for who is gone or disabled. */
  rolesNow: (submitter: Submitter) => Promise<readonly string[]>;
  countOutcome: (lane: Lane, outcome: OrderOutcome) => void;
}

/** What came of one attempt; `retried` is not the end. */
export type OrderOutcome = 'active' | 'error' | 'retried';

const LEASE_SECONDS = 30;
const EXTEND_EVERY_MS = 10_000;
const ATTEMPTS_MAX = 5n;
const REST_SECONDS_MAX = 300;
/** Until what an order needs, but is not part of it, may be there again. */
const AWAY_REST_SECONDS = 30;
/** Long, as the row may be damaged for good. */
const UNVERIFIED_REST_SECONDS = 600;
/** Well below the time that old keys are kept after a rotation. */
const READ_AGAIN_AFTER_MS = 5_000;

/** The row of an order does not verify here and now: on a node with other keys, or later, it may. */
class UnverifiedOrder extends Error {}

/**
 * Works on the next order of a lane that is due. What it makes, the order's new state and the end of its
 * lease are one transaction: however often workers are killed, an order has one result.
 */
export function createOrderRun(
  work: OrderWork,
  lane: Lane,
): (signal: AbortSignal) => Promise<'more' | 'done'> {
  const { db } = work.coffer;
  return async (signal) => {
    const lease = await takeLease(db, lane, LEASE_SECONDS);
    if (lease === undefined) return 'done';
    const lost = new AbortController();
    const extension = setInterval(() => {
      extendLease(db, lease, LEASE_SECONDS).then(
        (isOurs) => isOurs || lost.abort(),
        () => {},
      );
    }, EXTEND_EVERY_MS);
    try {
      const attempt = workOn(work, lease, AbortSignal.any([signal, lost.signal]));
      const outcome = await attempt.finally(() => clearInterval(extension));
      if (outcome !== undefined) work.countOutcome(lane, outcome);
    } catch (error) {
      if (error instanceof LostLease && !signal.aborted) return 'more';
      await putOff(work, lease, error, signal);
      if (!signal.aborted) work.countOutcome(lane, 'retried');
    }
    return 'more';
  };
}

/** An order whose worker stops is due at once, and one that failed after a while. */
async function putOff(
  { coffer }: OrderWork,
  lease: Lease,
  error: unknown,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) {
    await giveLeaseBack(coffer.db, lease, { seconds: 0, counts: false });
    return;
  }
  coffer.log.warn(
    { err: error, order: lease.order_id, attempts: Number(lease.attempts) },
    'an order is tried again',
  );
  await giveLeaseBack(coffer.db, lease, restAfter(error, lease));
}

/** Only what the order may be the reason of counts as one of its attempts. */
function restAfter(error: unknown, { attempts }: Lease): { seconds: number; counts: boolean } {
  const outside = restOutside(error);
  const seconds = outside ?? Math.min(REST_SECONDS_MAX, 4 ** Math.max(0, Number(attempts) - 1));
  return { seconds: seconds * (0.5 + Math.random() / 2), counts: outside === undefined };
}

/** The rest after what is not the order's: a store or the database is away, or this node lacks a key. */
function restOutside(error: unknown): number | undefined {
  if (error instanceof UnverifiedOrder) return UNVERIFIED_REST_SECONDS;
  return error instanceof CofferError && error.code === 'unavailable' ? AWAY_REST_SECONDS : undefined;
}

/** Undefined when there was nothing to do. */
async function workOn(work: OrderWork, lease: Lease, signal: AbortSignal): Promise<OrderOutcome | undefined> {
  const { coffer } = work;
  const order = await loadPending(coffer, lease);
  if (order === undefined) {
    await endLease(coffer.db, lease);
    return undefined;
  }
  // Who was killed could not say so: the last attempt that was begun is the last.
  let refusal = lease.attempts > ATTEMPTS_MAX ? failed() : undefined;
  try {
    if (refusal === undefined) {
      await produce(work, lease, order, signal);
      return 'active';
    }
  } catch (error) {
    if (signal.aborted || restOutside(error) !== undefined) throw error;
    refusal = refusalOf(error) ?? (lease.attempts === ATTEMPTS_MAX ? failed() : undefined);
    if (refusal === undefined || error instanceof LostLease) throw error;
    coffer.log.warn({ err: error, order: order.id }, 'an order ended in error');
  }
  await finishInError(coffer, lease, order, refusal);
  return 'error';
}

/** Undefined when nothing is to be done: it is gone, or finished. @throws UnverifiedOrder */
async function loadPending(coffer: Coffer, lease: Lease): Promise<OrderWithPassphrase | undefined> {
  const row = await findOrder(coffer.db, lease.order_id);
  if (row === undefined) return undefined;
  try {
    await openRow(coffer.keyring, 'orders', { id: lease.order_id }, row);
  } catch (error) {
    if (error instanceof ProjectGone) return undefined;
    if (!(error instanceof CofferError && error.code === 'integrity_violation')) throw error;
    coffer.integrityViolations.count('orders', 'none');
    throw new UnverifiedOrder('the row does not verify', { cause: error });
  }
  return row.status === 'PENDING' ? row : undefined;
}

/** Decides by the submitter's rights of now, as if the order came now; and again when something changed. */
async function produce(
  { coffer, rolesNow }: OrderWork,
  lease: Lease,
  loaded: OrderWithPassphrase,
  signal: AbortSignal,
): Promise<void> {
  const loadedAt = coffer.clock.now().getTime();
  const { project_id, creator_id, credential_id, roles } = loaded;
  const submitter: Submitter = {
    userId: creator_id ?? '',
    projectId: project_id,
    credentialId: credential_id,
    roles: decodeRoles(roles),
  };
  const now = await rolesNow(submitter);
  // Never more than it was submitted with, whatever its creator was given since.
  const rolesLeft = submitter.roles.filter((role) => now.includes(role));
  const caller = callerOf(submitter, rolesLeft, lease);
  let material: Material | undefined;
  let current: OrderWithPassphrase | undefined = loaded;
  await operate(coffer, caller, {
    action: 'orders:post',
    name: OPERATION,
    load: async () => {
      const order = current ?? (await loadPending(coffer, lease));
      current = undefined;
      if (order === undefined || signal.aborted) throw new LostLease();
      return order;
    },
    run: async (order) => {
      if (material === undefined) {
        material = await generate(coffer, order, signal);
        // The key that sealed what was read may be gone by now, after a rotation.
        if (coffer.clock.now().getTime() - loadedAt > READ_AGAIN_AFTER_MS) throw new StaleRow();
      }
      await finishWell(coffer, lease, order, material);
    },
  }).finally(() => material && wipeMaterial(material));
}

function callerOf(submitter: Submitter, roles: readonly string[], lease: Lease): Caller {
  const { userId, projectId, credentialId } = submitter;
  return {
    actor: {
      userId,
      scope: 'project',
      projectId,
      scopeDomainId: null,
      roles,
      domainId: null,
      auditId: 'order',
      applicationCredentialId: credentialId,
      accessRules: null,
    },
    requestId: `order-${lease.order_id}`,
  };
}
