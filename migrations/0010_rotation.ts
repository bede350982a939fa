import type { Migration } from './index.ts';

/**
 * Rotations under way, unsealed: what they are about is decided by sealed rows, and a row more or less only
 * costs work, or leaves it undone.
 */
export const rotation: Migration = {
  number: 10,
  name: 'rotation',
  sql: `
CREATE TABLE kek_rotations (
  project_id text COLLATE "C" PRIMARY KEY,
  below bigint NOT NULL,
  started timestamptz NOT NULL,
  leased_until timestamptz,
  drained timestamptz,
  rewrapped bigint NOT NULL,
  damaged bigint NOT NULL
);
`,
};
