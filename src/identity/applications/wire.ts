import type { AccessRuleRow, ApplicationCredentialRow } from '../../db/schema.ts';
import { formatTimestamp } from '../../http/timestamps.ts';
import { decodeAccessRules, decodeRoles } from './credential-lists.ts';

/** As Keystone formats it; `secret` once, when it was made. */
export function formatCredential(
  row: ApplicationCredentialRow,
  publicUrl: string,
  secret?: string,
): Record<string, unknown> {
  const accessRules = decodeAccessRules(row.access_rules);
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    ...(secret === undefined ? {} : { secret }),
    user_id: row.user_id,
    project_id: row.project_id,
    system: null,
    expires_at: row.expires && formatTimestamp(row.expires),
    unrestricted: row.unrestricted,
    roles: decodeRoles(row.roles).map(({ id, name }) => ({
      id,
      name,
      domain_id: null,
      description: null,
      options: {},
    })),
    ...(accessRules === null ? {} : { access_rules: accessRules }),
    links: { self: `${publicUrl}/identity/v3/users/${row.user_id}/application_credentials/${row.id}` },
  };
}

export function formatAccessRule(row: AccessRuleRow, publicUrl: string): Record<string, unknown> {
  const { id, service, method, path, user_id } = row;
  return {
    id,
    service,
    method,
    path,
    links: { self: `${publicUrl}/identity/v3/users/${user_id}/access_rules/${id}` },
  };
}
