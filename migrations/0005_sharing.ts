import type { Migration } from './index.ts';

/**
 * `acl_users` is an unsealed copy of the users in the sealed ACL, for the index alone: every row that it
 * finds is verified, and counts only if its ACL says the same.
 */
export const sharing: Migration = {
  number: 5,
  name: 'sharing',
  sql: `
ALTER TABLE secrets ADD COLUMN acl_users text[] COLLATE "C";
-- Partial, because most secrets have no ACL, and their writers should not pay for it.
CREATE INDEX secrets_acl_users ON secrets USING gin (acl_users) WHERE acl_users IS NOT NULL;
`,
};
