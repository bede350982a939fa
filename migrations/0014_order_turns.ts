import type { Migration } from './index.ts';

/** The leases of orders by project: whose turn it is needs the first of each, and not the rest. */
export const orderTurns: Migration = {
  number: 14,
  name: 'order turns',
  sql: `
CREATE INDEX order_leases_first ON order_leases (lane, project_id, due, order_id);
DROP INDEX order_leases_due;
`,
};
