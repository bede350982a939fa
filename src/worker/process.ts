import type { Config } from '../config.ts';
import { CofferError } from '../errors.ts';
import { createMetrics } from '../health/metrics.ts';
import { openInstallation, type OpenOptions } from '../installation.ts';
import { openLogDestination } from '../log-destination.ts';
import { registerKeyMetrics } from '../rotation/metrics.ts';
import { createReload } from '../rotation/reload-master-keys.ts';
import { DRAIN_TIMEOUT_MS } from '../serve.ts';
import { createCoffer, createLog } from '../server.ts';
import { listenForSignals } from '../signals.ts';
import { createJobs } from './jobs.ts';
import { answerProbes, type Probes } from './probes.ts';
import { createWorker } from './worker.ts';

/** Runs the jobs, and answers none but probes, until it is told to stop. Resolves to the exit code. */
export async function runWorkerAlone(
  config: Config,
  { say, unseal }: Required<Pick<OpenOptions, 'say' | 'unseal'>>,
): Promise<number> {
  if (config.databaseUrl === undefined) {
    throw new CofferError(
      'configuration',
      'COFFER_DATABASE_URL is not set: the server of a private PostgreSQL runs the jobs itself.',
    );
  }
  const destination = openLogDestination(1, say);
  const log = createLog(config, destination);
  const signals = listenForSignals();
  const opening = { purpose: 'command', createMissing: false, allowEmpty: false, say, unseal } as const;
  const installation = await openInstallation(config, opening);
  const metrics = createMetrics(installation.db);
  registerKeyMetrics(metrics.registry, installation.db);
  const worker = createWorker({ db: installation.db, log, metrics });
  let probes: Probes | undefined;
  try {
    const coffer = createCoffer(config, installation, { log, metrics, worker });
    probes = await answerProbes(coffer, config, metrics);
    worker.start(createJobs(coffer, config, metrics));
    signals.onReload(createReload({ ...installation, log }));
    say('Coffer runs jobs.');
    const code = await signals.ended;
    say('Stopping: jobs under way are ended first.');
    return code;
  } finally {
    const deadline = setTimeout(() => {
      void destination.close().then(() => process.exit(1));
    }, DRAIN_TIMEOUT_MS).unref();
    probes?.drain();
    await worker.stop();
    await probes?.close();
    await installation.close();
    clearTimeout(deadline);
    await destination.close();
  }
}
