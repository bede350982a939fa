import type { Migration } from './index.ts';

/** Of the system's row alone: which master key is in use in each store, and which are retired. */
export const masterKeys: Migration = {
  number: 12,
  name: 'master keys',
  sql: `
ALTER TABLE projects ADD COLUMN master_keys bytea;
`,
};
