import type { Coffer } from '../coffer.ts';
import type { Config } from '../config.ts';
import type { Metrics } from '../health/metrics.ts';
import { removeRolesIn } from '../identity/project-roles.ts';
import { createProjectDeletion, PROJECT_DELETION } from '../projects/deletion.ts';
import { createSecretPurge } from '../secrets/purge.ts';
import type { Job } from './job.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** Every job of a node. */
export function createJobs(
  coffer: Coffer,
  { purgeExpiredSeconds }: Pick<Config, 'purgeExpiredSeconds'>,
  { countPurged }: Pick<Metrics, 'countPurged'>,
): readonly Job[] {
  const purgeSecrets = createSecretPurge(coffer, purgeExpiredSeconds, () => countPurged('secrets'));
  const deleteProjects = createProjectDeletion(coffer, {
    removeRoles: async (projectId) => await removeRolesIn(coffer, projectId),
  });
  return [
    { name: 'purge-secrets', everyMs: HOUR_MS, run: purgeSecrets },
    { name: PROJECT_DELETION, everyMs: MINUTE_MS, run: deleteProjects },
  ];
}
