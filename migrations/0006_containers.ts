import type { Migration } from './index.ts';

export const containers: Migration = {
  number: 6,
  name: 'containers',
  sql: `
CREATE TABLE containers (
  id uuid PRIMARY KEY,
  project_id text COLLATE "C" NOT NULL,
  creator_id text COLLATE "C",
  name text,
  type text NOT NULL,
  status text NOT NULL,
  slots bytea NOT NULL,
  acl bytea,
  created timestamptz(3) NOT NULL,
  updated timestamptz(3) NOT NULL,
  revision bigint NOT NULL,
  epoch bigint NOT NULL,
  seal bytea NOT NULL
);
CREATE INDEX containers_project ON containers (project_id, created, id);
CREATE INDEX containers_name ON containers (project_id, name text_pattern_ops);
CREATE INDEX containers_epoch ON containers (project_id, epoch);
`,
};
