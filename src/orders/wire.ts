import type { OrderRow } from '../db/schema.ts';
import { refTo } from '../http/refs.ts';
import { formatTimestamp } from '../http/timestamps.ts';
import type { OrderMeta } from './schema.ts';

export type WireOrder = Record<string, unknown>;

/** Clients build their object from exactly these keys: one that they do not know is an error to them. */
export function formatOrder(order: OrderRow, publicUrl: string): WireOrder {
  const { secret_id, container_id, error_status_code, error_reason } = order;
  return {
    created: formatTimestamp(order.created),
    updated: formatTimestamp(order.updated),
    status: order.status,
    type: order.type,
    meta: JSON.parse(order.meta) as OrderMeta,
    ...(order.status === 'ACTIVE' ? { sub_status: 'Unknown', sub_status_message: 'Unknown' } : {}),
    creator_id: order.creator_id,
    ...(error_status_code === null ? {} : { error_status_code, error_reason }),
    ...(secret_id === null ? {} : { secret_ref: refTo(publicUrl, 'secrets', secret_id) }),
    order_ref: refTo(publicUrl, 'orders', order.id),
    ...(container_id === null ? {} : { container_ref: refTo(publicUrl, 'containers', container_id) }),
  };
}
