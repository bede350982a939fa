import type { Coffer } from '../coffer.ts';
import type { Config } from '../config.ts';
import type { Metrics } from '../health/metrics.ts';
import { removeRolesIn } from '../identity/project-roles.ts';
import { createProjectDeletion, PROJECT_DELETION } from '../projects/deletion.ts';
import { createPresentRoles } from '../identity/present-roles.ts';
import { createOrderRun, type OrderWork } from '../orders/execution.ts';
import { createOrderPurge } from '../orders/purge.ts';
import { ORDER_JOBS } from '../orders/service.ts';
import { createSecretPurge } from '../secrets/purge.ts';
import { createRotationJob, KEK_ROTATION } from '../rotation/job.ts';
import { USUAL_PACE } from '../rotation/rotation.ts';
import type { Job } from './job.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** A wake is sooner; this finds the orders of servers whose wake was lost. */
const ORDERS_EVERY_MS = 2_000;

/** The old keys of a rotation go some seconds after its last row. */
const ROTATIONS_EVERY_MS = 5_000;

type Settings = Pick<
  Config,
  'noauth' | 'keystone' | 'purgeExpiredSeconds' | 'purgeOrdersSeconds' | 'kekMaxAgeSeconds' | 'rotationRate'
>;

/** Every job of a node. */
export function createJobs(
  coffer: Coffer,
  config: Settings,
  { countPurged, countOrder }: Pick<Metrics, 'countPurged' | 'countOrder'>,
): readonly Job[] {
  const { purgeExpiredSeconds, purgeOrdersSeconds, kekMaxAgeSeconds, rotationRate } = config;
  const purgeSecrets = createSecretPurge(coffer, purgeExpiredSeconds, () => countPurged('secrets'));
  const deleteProjects = createProjectDeletion(coffer, {
    removeRoles: async (projectId) => await removeRolesIn(coffer, projectId),
  });
  const purgeOrders = createOrderPurge(coffer, purgeOrdersSeconds, () => countPurged('orders'));
  const pace = { ...USUAL_PACE, rowsPerSecond: rotationRate };
  const rotateKeks = createRotationJob(coffer, { kekMaxAgeSeconds, pace });
  return [
    ...orderJobs(coffer, config, countOrder),
    { name: 'purge-secrets', everyMs: HOUR_MS, run: purgeSecrets },
    { name: 'purge-orders', everyMs: HOUR_MS, run: purgeOrders },
    { name: KEK_ROTATION, everyMs: ROTATIONS_EVERY_MS, run: rotateKeks },
    { name: PROJECT_DELETION, everyMs: MINUTE_MS, run: deleteProjects },
  ];
}

function orderJobs(
  coffer: Coffer,
  { noauth, keystone }: Settings,
  countOutcome: OrderWork['countOutcome'],
): Job[] {
  // Without authentication, and behind another Keystone, whose tokens alone say what its users may, nobody is
  // known here: then an order has the roles that it came with.
  const isLocal = !noauth && keystone === undefined;
  const rolesNow: OrderWork['rolesNow'] = isLocal ? createPresentRoles(coffer) : async ({ roles }) => roles;
  const work: OrderWork = { coffer, rolesNow, countOutcome };
  // A lane each: keys do not wait for pairs, which take seconds. Two at once, so that a long one is passed.
  return (['key', 'asymmetric'] as const).map((lane) => ({
    name: ORDER_JOBS[lane],
    everyMs: ORDERS_EVERY_MS,
    parallel: 2,
    run: createOrderRun(work, lane),
  }));
}
