import type { Migration } from './index.ts';

export const identityManagement: Migration = {
  number: 11,
  name: 'identity management',
  sql: `
ALTER TABLE projects ADD COLUMN extra bytea;
ALTER TABLE users ADD COLUMN extra bytea;
`,
};
