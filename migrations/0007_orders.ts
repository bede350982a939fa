import type { Migration } from './index.ts';

export const orders: Migration = {
  number: 7,
  name: 'orders',
  sql: `
CREATE TABLE orders (
  id uuid PRIMARY KEY,
  project_id text COLLATE "C" NOT NULL,
  creator_id text COLLATE "C",
  credential_id text COLLATE "C",
  roles bytea NOT NULL,
  type text NOT NULL,
  status text NOT NULL,
  meta text NOT NULL,
  error_status_code text,
  error_reason text,
  secret_id uuid,
  container_id uuid,
  payload_head bytea,
  payload_body bytea,
  dek bytea,
  created timestamptz(3) NOT NULL,
  updated timestamptz(3) NOT NULL,
  revision bigint NOT NULL,
  epoch bigint NOT NULL,
  seal bytea NOT NULL
);
CREATE INDEX orders_project ON orders (project_id, created, id);
CREATE INDEX orders_epoch ON orders (project_id, epoch);
CREATE INDEX orders_finished ON orders (updated, id) WHERE status <> 'PENDING';

-- Unsealed: who works on an order until when. All that it can do is delay an order, or have its work done
-- twice and kept once: the result rests on the order's sealed row.
CREATE TABLE order_leases (
  order_id uuid PRIMARY KEY,
  project_id text COLLATE "C" NOT NULL,
  lane text NOT NULL,
  due timestamptz NOT NULL,
  attempts bigint NOT NULL,
  fence bigint NOT NULL
);
CREATE INDEX order_leases_due ON order_leases (lane, due);

-- Unsealed: whose turn it is among projects.
CREATE TABLE order_turns (
  project_id text COLLATE "C" NOT NULL,
  lane text NOT NULL,
  served timestamptz NOT NULL,
  PRIMARY KEY (project_id, lane)
);

CREATE INDEX secrets_ended ON secrets (expiration, id) WHERE expiration IS NOT NULL;
`,
};
