import { refTo } from '../http/refs.ts';
import { formatTimestamp } from '../http/timestamps.ts';
import type { ContainerView } from './service.ts';

export function formatContainer(
  { row, slots, consumers }: ContainerView,
  publicUrl: string,
): Record<string, unknown> {
  return {
    created: formatTimestamp(row.created),
    updated: formatTimestamp(row.updated),
    status: row.status,
    name: row.name,
    type: row.type,
    creator_id: row.creator_id,
    secret_refs: slots.map(({ name, secretId }) => ({
      name,
      secret_ref: refTo(publicUrl, 'secrets', secretId),
    })),
    consumers,
    container_ref: refTo(publicUrl, 'containers', row.id),
  };
}
