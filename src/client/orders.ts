import { parseId } from './address.ts';
import { CofferError } from './coffer-error.ts';
import {
  type NewKeyOrder,
  type NewPairOrder,
  type Order,
  orderFields,
  type OrderReference,
  parseOrder,
} from './order.ts';
import { idOfReference } from './secret.ts';
import type { CallOptions, Session } from './session.ts';
import { pause } from './transport.ts';

/** Which orders to list. */
export interface OrderFilter {
  /** A part of what the order says, as `"algorithm": "rsa"`. */
  meta?: string | undefined;
}

/** How long to wait for an order. */
export interface WaitOptions extends CallOptions {
  /** Default 60,000. */
  waitMs?: number | undefined;
}

const PAGE_SIZE = 100;
const FIRST_PAUSE_MS = 25;
const PAUSE_MS_MAX = 1_000;

/**
 * Keys and pairs that the server makes. An order is named by its id or by its reference. All methods throw
 * `CofferError`.
 */
export class Orders {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Orders a key; `wait` gives the id of its secret. */
  async createKey(order: NewKeyOrder, options: CallOptions = {}): Promise<OrderReference> {
    return await this.#create('key', order, options);
  }

  /** Orders a pair; `wait` gives the id of the container that holds it. */
  async createPair(order: NewPairOrder, options: CallOptions = {}): Promise<OrderReference> {
    return await this.#create('asymmetric', order, options);
  }

  async #create(
    type: string,
    order: NewKeyOrder | NewPairOrder,
    options: CallOptions,
  ): Promise<OrderReference> {
    const body = JSON.stringify({ type, meta: orderFields(order) });
    const headers = { 'content-type': 'application/json' };
    const request = { method: 'POST', path: '/v1/orders', headers, body, idempotent: false } as const;
    const ref = String((await this.#session.sendForJson({ ...request, ...options })).order_ref);
    return { id: idOfReference(ref), ref };
  }

  /** An order as it is now. Throws `not_found`. */
  async get(order: string, options: CallOptions = {}): Promise<Order> {
    const path = `/v1/orders/${parseId('orders', order)}`;
    return parseOrder(await this.#session.sendForJson({ method: 'GET', path, idempotent: true, ...options }));
  }

  /** Waits for the end of an order: `ACTIVE`, or `ERROR` with a reason. Throws `timeout` when it is late. */
  async wait(order: string, { waitMs = 60_000, ...options }: WaitOptions = {}): Promise<Order> {
    const deadline = Date.now() + waitMs;
    for (let ms = FIRST_PAUSE_MS; ; ms = Math.min(2 * ms, PAUSE_MS_MAX)) {
      const found = await this.get(order, options);
      if (found.status !== 'PENDING') return found;
      if (Date.now() + ms > deadline) {
        throw new CofferError('timeout', `the order is not done after ${waitMs} ms`, { retryable: true });
      }
      await pause(ms, options.signal);
    }
  }

  /** Deletes an order; what it made stays. Throws `not_found`. */
  async delete(order: string, options: CallOptions = {}): Promise<void> {
    const path = `/v1/orders/${parseId('orders', order)}`;
    await this.#session.send({ method: 'DELETE', path, idempotent: true, ...options });
  }

  /** All matching orders, oldest first, page by page as they are consumed. */
  async *list(filter: OrderFilter = {}, options: CallOptions = {}): AsyncGenerator<Order, void, undefined> {
    for (let offset = 0, more = true; more; offset += PAGE_SIZE) {
      const query = new URLSearchParams({ limit: String(PAGE_SIZE), offset: String(offset) });
      if (filter.meta !== undefined) query.set('meta', filter.meta);
      const path = `/v1/orders?${query.toString()}`;
      const body = await this.#session.sendForJson({ method: 'GET', path, idempotent: true, ...options });
      yield* (Array.isArray(body.orders) ? body.orders : []).map(parseOrder);
      more = typeof body.next === 'string';
    }
  }
}
