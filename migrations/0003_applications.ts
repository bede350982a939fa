import type { Migration } from './index.ts';

/** Application credentials, the access rules they were given, and how an application gets its secret. */
export const applications: Migration = {
  number: 3,
  name: 'applications',
  sql: `
CREATE TABLE application_credentials (
  id text COLLATE "C" PRIMARY KEY,
  user_id text COLLATE "C" NOT NULL,
  project_id text COLLATE "C" NOT NULL,
  name text NOT NULL,
  name_key text COLLATE "C" NOT NULL,
  description text,
  secret_hash bytea,
  roles bytea NOT NULL,
  access_rules bytea,
  unrestricted boolean NOT NULL,
  expires timestamptz(3),
  enabled boolean NOT NULL,
  tokens_valid_from timestamptz(3),
  created timestamptz(3) NOT NULL,
  updated timestamptz(3) NOT NULL,
  revision bigint NOT NULL,
  epoch bigint NOT NULL,
  seal bytea NOT NULL,
  UNIQUE (user_id, name_key)
);

CREATE TABLE access_rules (
  id text COLLATE "C" PRIMARY KEY,
  user_id text COLLATE "C" NOT NULL,
  service text NOT NULL,
  method text NOT NULL,
  path text NOT NULL,
  created timestamptz(3) NOT NULL,
  updated timestamptz(3) NOT NULL,
  revision bigint NOT NULL,
  epoch bigint NOT NULL,
  seal bytea NOT NULL,
  UNIQUE (user_id, service, method, path)
);

CREATE TABLE redemptions (
  id uuid PRIMARY KEY,
  application_credential_id text COLLATE "C" NOT NULL,
  code_hash bytea NOT NULL UNIQUE,
  source text,
  expires timestamptz(3) NOT NULL,
  redeemed timestamptz(3),
  created timestamptz(3) NOT NULL,
  updated timestamptz(3) NOT NULL,
  revision bigint NOT NULL,
  epoch bigint NOT NULL,
  seal bytea NOT NULL
);
CREATE INDEX redemptions_credential ON redemptions (application_credential_id);
`,
};
