import type { Migration } from './index.ts';

/**
 * How often keys of a token have encrypted, unsealed: the database adds up what all servers do. Blocks are
 * reserved before they are used, so that a count is never too low by itself.
 */
export const wrapCounts: Migration = {
  number: 13,
  name: 'wrap counts',
  sql: `
CREATE TABLE wrap_counts (
  kind text COLLATE "C" NOT NULL,
  store text COLLATE "C" NOT NULL,
  key_id text COLLATE "C" NOT NULL,
  project_id text COLLATE "C",
  wraps bigint NOT NULL,
  PRIMARY KEY (kind, store, key_id)
);
CREATE INDEX wrap_counts_wraps ON wrap_counts (wraps);
`,
};
