import { formatTimestamp } from '../http/timestamps.ts';
import type { Acl } from './record.ts';

/** The default has neither users nor dates: clients look for their absence. */
export function formatAcl(acl: Acl | null): Record<string, unknown> {
  if (acl === null) return { read: { 'project-access': true } };
  return {
    read: {
      'project-access': acl.projectAccess,
      users: acl.users,
      created: formatTimestamp(acl.created),
      updated: formatTimestamp(acl.updated),
    },
  };
}
