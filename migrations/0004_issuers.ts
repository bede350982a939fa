import type { Migration } from './index.ts';

export const issuers: Migration = {
  number: 4,
  name: 'issuers',
  sql: `
CREATE TABLE issuers (
  id text COLLATE "C" PRIMARY KEY,
  name text NOT NULL,
  name_key text COLLATE "C" NOT NULL UNIQUE,
  issuer_url text COLLATE "C" NOT NULL,
  jwks_url text,
  key_set bytea,
  audience text NOT NULL,
  claims bytea NOT NULL,
  project_id text COLLATE "C" NOT NULL,
  role_ids bytea NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  allow_private boolean NOT NULL,
  allow_http boolean NOT NULL,
  enabled boolean NOT NULL,
  tokens_valid_from timestamptz(3),
  created timestamptz(3) NOT NULL,
  updated timestamptz(3) NOT NULL,
  revision bigint NOT NULL,
  epoch bigint NOT NULL,
  seal bytea NOT NULL
);
CREATE INDEX issuers_url ON issuers (issuer_url);
`,
};
