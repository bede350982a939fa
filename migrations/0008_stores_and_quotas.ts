import type { Migration } from './index.ts';

export const storesAndQuotas: Migration = {
  number: 8,
  name: 'stores and quotas',
  sql: `
ALTER TABLE projects ADD COLUMN deleted timestamptz(3);
-- Both lists are short among many projects.
CREATE INDEX projects_limits ON projects (created, id) WHERE limits IS NOT NULL;
CREATE INDEX projects_deleted ON projects (id) WHERE deleted IS NOT NULL;
CREATE INDEX role_assignments_scope ON role_assignments (scope_kind, scope_id, user_id);

CREATE TABLE transport_keys (
  id uuid PRIMARY KEY,
  plugin_name text NOT NULL,
  transport_key text NOT NULL,
  status text NOT NULL,
  created timestamptz(3) NOT NULL,
  updated timestamptz(3) NOT NULL,
  revision bigint NOT NULL,
  epoch bigint NOT NULL,
  seal bytea NOT NULL
);
CREATE INDEX transport_keys_created ON transport_keys (created, id);
`,
};
