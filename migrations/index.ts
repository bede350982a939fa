import { initial } from './0001_initial.ts';
import { applications } from './0003_applications.ts';
import { issuers } from './0004_issuers.ts';
import { sharing } from './0005_sharing.ts';
import { containers } from './0006_containers.ts';
import { orders } from './0007_orders.ts';
import { storesAndQuotas } from './0008_stores_and_quotas.ts';
import { revocations } from './0009_revocations.ts';
import { rotation } from './0010_rotation.ts';
import { identityManagement } from './0011_identity_management.ts';
import { masterKeys } from './0012_master_keys.ts';
import { wrapCounts } from './0013_wrap_counts.ts';
import { orderTurns } from './0014_order_turns.ts';

export interface Migration {
  number: number;
  name: string;
  sql: string;
}

/** In order, append only: a migration that has been released is never changed. */
export const MIGRATIONS: readonly Migration[] = [
  initial,
  applications,
  issuers,
  sharing,
  containers,
  orders,
  storesAndQuotas,
  revocations,
  rotation,
  identityManagement,
  masterKeys,
  wrapCounts,
  orderTurns,
];
