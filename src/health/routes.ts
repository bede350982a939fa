import { access } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import type { Coffer } from '../coffer.ts';
import { readSchemaState, requireApplied } from '../db/migrate.ts';
import { CofferError, StoreAway } from '../errors.ts';
import type { Metrics } from './metrics.ts';

export interface HealthOptions {
  /** While this file exists, `/healthcheck` answers 503: an operator takes the node out of a balancer. */
  disableFile: string;
  isDraining: () => boolean;
  /** Undefined: `/metrics` is not served. */
  metrics: Metrics | undefined;
}

/** A clock further off than this cannot judge an expiry. */
const CLOCK_SKEW_MAX_MS = 30_000;
const CHECK_TIMEOUT_MS = 2_000;

export function registerHealthRoutes(app: FastifyInstance, coffer: Coffer, options: HealthOptions): void {
  const logAway = createAwayLog(coffer);
  const findProblem = once(async () => await findProblemOf(coffer, logAway));
  registerProbes(app, options.disableFile, {
    outOfBalance: () => undefined,
    findProblem: async () => (options.isDraining() ? 'draining' : await findProblem()),
  });

  const { metrics } = options;
  if (metrics === undefined) return;
  app.get('/metrics', { config: { public: true, probe: true } }, async (_request, reply) => {
    reply.type(metrics.registry.contentType);
    return await metrics.registry.metrics();
  });
}

/** The same of a server that waits for the shares of its keyring: alive, and not ready. */
export function registerSealedHealthRoutes(app: FastifyInstance, disableFile: string): void {
  registerProbes(app, disableFile, { outOfBalance: () => 'SEALED', findProblem: async () => 'sealed' });
}

interface Condition {
  /** Why `/healthcheck` takes the server out of a balancer by itself. */
  outOfBalance: () => string | undefined;
  /** Why it is not ready. */
  findProblem: () => Promise<string | undefined>;
}

function registerProbes(
  app: FastifyInstance,
  disableFile: string,
  { outOfBalance, findProblem }: Condition,
): void {
  app.get('/healthcheck', { config: { public: true, probe: true } }, async (request, reply) => {
    const disabled = await access(disableFile).then(
      () => 'DISABLED BY FILE',
      () => outOfBalance(),
    );
    const reason = disabled ?? 'OK';
    reply.code(disabled === undefined ? 200 : 503);
    if ((request.headers.accept ?? '').includes('application/json'))
      return { detailed: false, reasons: [reason] };
    return await reply.type('text/plain; charset=UTF-8').send(reason);
  });

  app.get('/health/live', { config: { public: true, probe: true } }, async () => ({ status: 'live' }));

  app.get('/health/ready', { config: { public: true, probe: true } }, async (_request, reply) => {
    const problem = await findProblem();
    if (problem === undefined) return { status: 'ready' };
    return await reply.code(503).header('retry-after', '1').send({ status: 'not ready', reason: problem });
  });
}

/** Anybody may ask, and each answer costs the database three statements: all who ask at once share one. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let current: Promise<T> | undefined;
  return async () =>
    await (current ??= work().finally(() => {
      current = undefined;
    }));
}

/** Why a store is away is for the log alone, and said once. */
function createAwayLog({ log }: Coffer): (error?: unknown) => void {
  let told: string | undefined;
  return (error) => {
    const why = error instanceof StoreAway && error.cause instanceof Error ? error.cause.message : undefined;
    if (why !== undefined && why !== told)
      log.warn({ err: error }, 'not ready: the store of the system keys is away');
    told = why;
  };
}

async function findProblemOf(
  coffer: Coffer,
  logAway: (error?: unknown) => void,
): Promise<string | undefined> {
  const late = new Promise<never>((_resolve, reject) => {
    setTimeout(
      reject,
      CHECK_TIMEOUT_MS,
      new CofferError('unavailable', 'the database does not answer'),
    ).unref();
  });
  try {
    await Promise.race([checkAll(coffer), late]);
    logAway();
    return undefined;
  } catch (error) {
    logAway(error);
    if (error instanceof CofferError) return error.description ?? error.code;
    coffer.log.error({ err: error }, 'the readiness check failed');
    return 'internal failure';
  }
}

async function checkAll(coffer: Coffer): Promise<void> {
  requireApplied(await readSchemaState(coffer.db));
  const { rows } = await coffer.db.query<{ now: Date }>({ text: 'SELECT clock_timestamp() AS now' });
  const skew = Math.abs((rows[0]?.now.getTime() ?? 0) - coffer.clock.now().getTime());
  if (skew > CLOCK_SKEW_MAX_MS) {
    throw new CofferError('unavailable', 'the clocks of server and database are more than 30 s apart');
  }
  await coffer.keyring.checkHealth();
}
