import type { TransportKeyRow } from '../db/schema.ts';
import { formatTimestamp } from '../http/timestamps.ts';

/** Here Barbican shows the row as its database has it: other names, and a blank in the times. */
export function formatTransportKey(key: TransportKeyRow): Record<string, unknown> {
  const asInDatabase = (date: Date): string => formatTimestamp(date).replace('T', ' ');
  return {
    id: key.id,
    plugin_name: key.plugin_name,
    transport_key: key.transport_key,
    status: key.status,
    deleted: false,
    created_at: asInDatabase(key.created),
    updated_at: asInDatabase(key.updated),
    deleted_at: null,
  };
}
