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

-- A list by name reads this index alone: in the order of bytes, which patterns and sorting share.
DROP INDEX secrets_name;
ALTER TABLE secrets ALTER COLUMN name TYPE text COLLATE "C";
CREATE INDEX secrets_name ON secrets (project_id, name, created, id) INCLUDE (expiration, updated);
-- Counts read indexes alone where the table was vacuumed: that is when a fiftieth of it is new.
ALTER TABLE secrets SET (
  autovacuum_vacuum_insert_scale_factor = 0.02,
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_analyze_scale_factor = 0.02
);

CREATE TABLE secret_consumers (
  id uuid PRIMARY KEY,
  project_id text COLLATE "C" NOT NULL,
  parent_id uuid NOT NULL,
  consumer_project_id text COLLATE "C" NOT NULL,
  service text NOT NULL,
  resource_type text NOT NULL,
  resource_id text NOT NULL,
  created timestamptz(3) NOT NULL,
  updated timestamptz(3) NOT NULL,
  revision bigint NOT NULL,
  epoch bigint NOT NULL,
  seal bytea NOT NULL
);
CREATE INDEX secret_consumers_parent ON secret_consumers (parent_id, created, id);
CREATE INDEX secret_consumers_epoch ON secret_consumers (project_id, epoch);

CREATE TABLE container_consumers (
  id uuid PRIMARY KEY,
  project_id text COLLATE "C" NOT NULL,
  parent_id uuid NOT NULL,
  consumer_project_id text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  url text NOT NULL,
  created timestamptz(3) NOT NULL,
  updated timestamptz(3) NOT NULL,
  revision bigint NOT NULL,
  epoch bigint NOT NULL,
  seal bytea NOT NULL
);
CREATE INDEX container_consumers_parent ON container_consumers (parent_id);
CREATE INDEX container_consumers_epoch ON container_consumers (project_id, epoch);
`,
};
