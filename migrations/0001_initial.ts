import type { Migration } from './index.ts';

/**
 * Sealed tables hold uuid, text, bytea, bigint, boolean and timestamptz(3) only, without a default, a
 * trigger, a generated column or a foreign key: the server makes every value and seals the row
 * (src/crypto/FORMAT.md).
 */
export const initial: Migration = {
  number: 1,
  name: 'initial',
  sql: `
CREATE TABLE projects (
  id text COLLATE "C" PRIMARY KEY,
  origin text NOT NULL,
  domain_id text,
  name text,
  name_key text,
  description text,
  enabled boolean NOT NULL,
  tokens_valid_from timestamptz(3),
  active_epoch bigint NOT NULL,
  least_epoch bigint NOT NULL,
  limits bytea,
  preferred_store text,
  created timestamptz(3) NOT NULL,
  updated timestamptz(3) NOT NULL,
  revision bigint NOT NULL,
  epoch bigint NOT NULL,
  seal bytea NOT NULL
);
CREATE UNIQUE INDEX projects_name ON projects (domain_id, name_key);

CREATE TABLE keks (
  id uuid PRIMARY KEY,
  project_id text COLLATE "C" NOT NULL,
  store text NOT NULL,
  master_key_id text NOT NULL,
  wrapped_kek bytea NOT NULL,
  wrapped_integrity_key bytea NOT NULL,
  created timestamptz(3) NOT NULL,
  updated timestamptz(3) NOT NULL,
  revision bigint NOT NULL,
  epoch bigint NOT NULL,
  seal bytea NOT NULL,
  UNIQUE (project_id, epoch)
);

CREATE TABLE users (
  id text COLLATE "C" PRIMARY KEY,
  domain_id text NOT NULL,
  name text NOT NULL,
  name_key text NOT NULL,
  email text,
  description text,
  enabled boolean NOT NULL,
  password_hash text,
  default_project_id text,
  tokens_valid_from timestamptz(3),
  assignments_digest bytea NOT NULL,
  created timestamptz(3) NOT NULL,
  updated timestamptz(3) NOT NULL,
  revision bigint NOT NULL,
  epoch bigint NOT NULL,
  seal bytea NOT NULL
);
CREATE UNIQUE INDEX users_name ON users (domain_id, name_key);

CREATE TABLE roles (
  id text COLLATE "C" PRIMARY KEY,
  name text NOT NULL,
  name_key text NOT NULL UNIQUE,
  description text,
  created timestamptz(3) NOT NULL,
  updated timestamptz(3) NOT NULL,
  revision bigint NOT NULL,
  epoch bigint NOT NULL,
  seal bytea NOT NULL
);

CREATE TABLE role_assignments (
  id uuid PRIMARY KEY,
  user_id text COLLATE "C" NOT NULL,
  scope_kind text NOT NULL,
  scope_id text COLLATE "C" NOT NULL,
  role_id text COLLATE "C" NOT NULL,
  created timestamptz(3) NOT NULL,
  updated timestamptz(3) NOT NULL,
  revision bigint NOT NULL,
  epoch bigint NOT NULL,
  seal bytea NOT NULL,
  UNIQUE (user_id, scope_kind, scope_id, role_id)
);

CREATE TABLE signing_keys (
  id text COLLATE "C" PRIMARY KEY,
  algorithm text NOT NULL,
  public_key bytea NOT NULL,
  payload_head bytea NOT NULL,
  payload_body bytea NOT NULL,
  dek bytea NOT NULL,
  not_before timestamptz(3) NOT NULL,
  not_after timestamptz(3) NOT NULL,
  created timestamptz(3) NOT NULL,
  updated timestamptz(3) NOT NULL,
  revision bigint NOT NULL,
  epoch bigint NOT NULL,
  seal bytea NOT NULL
);

CREATE TABLE revoked_tokens (
  id text COLLATE "C" PRIMARY KEY,
  user_id text COLLATE "C" NOT NULL,
  expires timestamptz(3) NOT NULL,
  created timestamptz(3) NOT NULL,
  updated timestamptz(3) NOT NULL,
  revision bigint NOT NULL,
  epoch bigint NOT NULL,
  seal bytea NOT NULL
);
CREATE INDEX revoked_tokens_expires ON revoked_tokens (expires);

CREATE TABLE secrets (
  id uuid PRIMARY KEY,
  project_id text COLLATE "C" NOT NULL,
  creator_id text COLLATE "C",
  name text,
  secret_type text NOT NULL,
  status text NOT NULL,
  algorithm text,
  bit_length bigint,
  mode text,
  expiration timestamptz(3),
  content_type text,
  user_metadata bytea,
  acl bytea,
  payload_head bytea,
  payload_body bytea,
  dek bytea,
  created timestamptz(3) NOT NULL,
  updated timestamptz(3) NOT NULL,
  revision bigint NOT NULL,
  epoch bigint NOT NULL,
  seal bytea NOT NULL
);
-- Ciphertext does not compress, and a list does not read it.
ALTER TABLE secrets ALTER COLUMN payload_body SET STORAGE EXTERNAL;
CREATE INDEX secrets_project ON secrets (project_id, created, id) INCLUDE (expiration);
CREATE INDEX secrets_name ON secrets (project_id, name text_pattern_ops);
CREATE INDEX secrets_epoch ON secrets (project_id, epoch);

-- Unsealed: the database computes it, and all that it can do is refuse a log-in for a while.
CREATE TABLE login_failures (
  user_id text COLLATE "C" PRIMARY KEY,
  failures bigint NOT NULL,
  last_failure timestamptz NOT NULL
);
`,
};
