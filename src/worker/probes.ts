import type { Coffer } from '../coffer.ts';
import type { Config } from '../config.ts';
import type { Metrics } from '../health/metrics.ts';
import { registerHealthRoutes } from '../health/routes.ts';
import { unauthorized } from '../http/auth.ts';
import { createHttpServer } from '../http/server.ts';

export interface Probes {
  /** From now on it is not ready. */
  drain(): void;
  close(): Promise<void>;
}

/** Answers for health and metrics of a process that answers no other requests. */
export async function answerProbes(
  coffer: Coffer,
  { workerListen, publicUrl, dataDir, metrics: isMeasured }: Config,
  metrics: Metrics,
): Promise<Probes | undefined> {
  if (workerListen === undefined) return undefined;
  let isDraining = false;
  const authenticate = async (): Promise<never> => {
    throw unauthorized();
  };
  const app = createHttpServer({ publicUrl, log: coffer.log, authenticate });
  registerHealthRoutes(app, coffer, {
    disableFile: `${dataDir}/healthcheck_disable`,
    isDraining: () => isDraining,
    metrics: isMeasured ? metrics : undefined,
  });
  await app.listen({ host: workerListen.host, port: workerListen.port });
  return {
    drain: () => {
      isDraining = true;
    },
    close: async () => await app.close(),
  };
}
