import type { Coffer } from '../coffer.ts';
import type { Config } from '../config.ts';
import type { Metrics } from '../health/metrics.ts';
import { createSecretPurge } from '../secrets/purge.ts';
import type { Job } from './job.ts';

const HOUR_MS = 3_600_000;

/** Every job of a node. */
export function createJobs(
  coffer: Coffer,
  { purgeExpiredSeconds }: Pick<Config, 'purgeExpiredSeconds'>,
  { countPurged }: Pick<Metrics, 'countPurged'>,
): readonly Job[] {
  const purgeSecrets = createSecretPurge(coffer, purgeExpiredSeconds, () => countPurged('secrets'));
  return [{ name: 'purge-secrets', everyMs: HOUR_MS, run: purgeSecrets }];
}
