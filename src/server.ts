import type { FastifyInstance } from 'fastify';
import { type DestinationStream, type Logger, pino } from 'pino';
import packageInformation from '../package.json' with { type: 'json' };
import { createApp } from './app.ts';
import type { Coffer, Limits } from './coffer.ts';
import type { Config } from './config.ts';
import { createGate } from './crypto/gate.ts';
import { type Metrics, createMetrics } from './health/metrics.ts';
import { type SealedServer, startSealedServer } from './custody/sealed-server.ts';
import type { Authenticate } from './http/auth.ts';
import { describeError } from './http/failure-log.ts';
import type { HttpLimits } from './http/limits.ts';
import type { HttpServerOptions } from './http/server.ts';
import { type Identity, openIdentity } from './identity/identity.ts';
import { authenticateOutside } from './identity/outside-keystone/outside-keystone.ts';
import type { Installation } from './installation.ts';
import type { SplitKeyring } from './keyring/split-keyring.ts';
import { registerKeyMetrics } from './rotation/metrics.ts';
import { deleteProject } from './projects/deletion.ts';
import { createJobs } from './worker/jobs.ts';
import { type Worker, createWorker } from './worker/worker.ts';

/** A server over an open installation. */
export interface Server {
  app: FastifyInstance;
  coffer: Coffer;
  /** Where it listens: `http://127.0.0.1:9311`. */
  address: string;
  /**
   * Answers 503 to new requests, ends those in flight, and stops what it started; the installation stays
   * open.
   */
  drain(): Promise<void>;
}

/** The log: never a secret, a token, a header or a body, at any level. */
export function createLog(config: Pick<Config, 'logLevel'>, destination: DestinationStream): Logger {
  const timestamp = pino.stdTimeFunctions.isoTime;
  // Messages of a driver or a parser can quote what they were given: `describeError` leaves those out.
  const serializers = { err: describeError };
  return pino({ level: config.logLevel, base: null, timestamp, serializers }, destination);
}

function limitsOf(config: Config): Limits {
  return {
    payloadBytesMax: config.payloadBytesMax,
    bodyBytesMax: config.bodyBytesMax,
    pageDefault: 10,
    pageMax: 100,
    quotas: {
      secrets: config.quotaSecrets,
      orders: config.quotaOrders,
      containers: config.quotaContainers,
      consumers: config.quotaConsumers,
    },
  };
}

/** All that operations and jobs touch, over an open installation. */
export function createCoffer(
  config: Config,
  { db, keyring }: Pick<Installation, 'db' | 'keyring'>,
  { log, metrics, worker }: { log: Logger; metrics: Metrics; worker: Worker },
): Coffer {
  return {
    db,
    keyring,
    clock: { now: () => new Date() },
    limits: limitsOf(config),
    log,
    integrityViolations: {
      count: (where, requestId) => {
        metrics.countIntegrityViolation(where);
        log.error({ where, requestId }, 'a row did not verify and was left out');
      },
    },
    containerChecks: {
      refuse: config.checkContainers === 'refuse',
      gate: createGate({ atOnceMax: 2, waitingMax: 32, busy: 'Too many containers at once; try again.' }),
      countMismatch: (type) => metrics.countContainerMismatch(type),
    },
    rules: config.rules,
    storeKinds: config.hasNamedStores ? new Map(config.stores.map(({ name, kind }) => [name, kind])) : null,
    wake: (job) => worker.wake(job),
    publicUrl: config.publicUrl,
    formerUrls: config.formerUrls,
    region: config.region,
  };
}

/** Whose tokens count: our own, or those of an outside Keystone. */
async function openAuthentication(
  coffer: Coffer,
  { keystone, tokenTtlSeconds, issuerPrivateAddresses }: Config,
): Promise<{ identity: Identity | undefined; authenticate: Authenticate }> {
  if (keystone !== undefined) {
    return { identity: undefined, authenticate: authenticateOutside(coffer, keystone) };
  }
  const identity = await openIdentity(coffer, { tokenTtlSeconds, issuerPrivateAddresses });
  return { identity, authenticate: async (token) => await identity.authenticate(token) };
}

/** What both servers, sealed and open, are told of HTTP. */
function httpOf(config: Config, log: Logger): Omit<HttpServerOptions, 'authenticate'> {
  return {
    publicUrl: config.publicUrl,
    log,
    identityUrl: config.keystone?.url,
    limits: { connectionsMax: config.connectionsMax, inFlightMax: config.requestsMax },
    ...(config.tls === undefined ? {} : { tls: config.tls }),
  };
}

const disableFileOf = ({ dataDir }: Config): string => `${dataDir}/healthcheck_disable`;

/** Listens, and takes the shares of keyrings in place of requests. */
export async function waitSealed(
  config: Config,
  keyrings: readonly SplitKeyring[],
  log: Logger,
): Promise<SealedServer> {
  const { host, port } = config.listen;
  return await startSealedServer(keyrings, {
    http: httpOf(config, log),
    listen: { host, port },
    disableFile: disableFileOf(config),
  });
}

/**
 * Puts the parts together, listens, and returns once requests are answered; where a sealed server listens
 * already, in its place.
 */
export async function startServer(
  config: Config,
  installation: Installation,
  log: Logger,
  { sealed, limits }: { sealed?: SealedServer | undefined; limits?: Partial<HttpLimits> } = {},
): Promise<Server> {
  const http = httpOf(config, log);
  const metrics = createMetrics(installation.db);
  registerKeyMetrics(metrics.registry, installation.db);
  const worker = createWorker({ db: installation.db, log, metrics });
  const coffer = createCoffer(config, installation, { log, metrics, worker });
  const { identity, authenticate } = await openAuthentication(coffer, config);
  let isDraining = false;
  const app = await createApp({
    version: packageInformation.version,
    coffer,
    identity,
    metrics,
    deleteProject: async (projectId) => await deleteProject(coffer, projectId),
    http: { ...http, limits: { ...http.limits, ...limits }, authenticate, noAuth: config.noauth },
    health: {
      disableFile: disableFileOf(config),
      isDraining: () => isDraining,
      metrics: config.metrics ? metrics : undefined,
    },
  });
  const drain = async (): Promise<void> => {
    isDraining = true;
    await Promise.all([app.close(), sealed?.close(), worker.stop()]);
    await identity?.close();
  };
  if (config.worker === 'on') worker.start(createJobs(coffer, config, metrics));
  try {
    return { app, coffer, address: await listen(app, config, sealed), drain };
  } catch (error) {
    await drain();
    throw error;
  }
}

async function listen(
  app: FastifyInstance,
  config: Config,
  sealed: SealedServer | undefined,
): Promise<string> {
  if (sealed === undefined) return await app.listen({ host: config.listen.host, port: config.listen.port });
  await app.ready();
  sealed.handOver(app.server);
  return sealed.address;
}
