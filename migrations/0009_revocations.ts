import type { Migration } from './index.ts';

/**
 * `login_failures` counted by user alone: anybody could hold another back. It stays for servers of the
 * version before, which still ask it.
 */
export const revocations: Migration = {
  number: 9,
  name: 'revocations',
  sql: `
CREATE INDEX revoked_tokens_user ON revoked_tokens (user_id, expires);

-- Unsealed: the database computes it, and all that it can do is refuse a log-in for a while.
CREATE TABLE password_failures (
  user_id text COLLATE "C" NOT NULL,
  source text COLLATE "C" NOT NULL,
  failures bigint NOT NULL,
  last_failure timestamptz NOT NULL,
  PRIMARY KEY (user_id, source)
);
CREATE INDEX password_failures_last ON password_failures (last_failure);
`,
};
