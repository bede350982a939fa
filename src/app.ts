import type { FastifyInstance } from 'fastify';
import { registerAclRoutes } from './acl/routes.ts';
import type { Coffer } from './coffer.ts';
import { consumersOfContainers, containerAcls } from './containers/owner.ts';
import { registerContainerRoutes } from './containers/routes.ts';
import { registerConsumerRoutes } from './consumers/routes.ts';
import { registerUnsealRoutes } from './custody/routes.ts';
import { CofferError } from './errors.ts';
import type { Metrics } from './health/metrics.ts';
import { type HealthOptions, registerHealthRoutes } from './health/routes.ts';
import { registerDiscovery } from './http/discovery.ts';
import { serveApiDescription } from './http/openapi.ts';
import { createHttpServer, type HttpServerOptions } from './http/server.ts';
import type { Identity } from './identity/identity.ts';
import { registerFederationRoutes } from './identity/federation/routes.ts';
import { registerRedemptionRoutes } from './identity/applications/redemption-routes.ts';
import { registerApplicationRoutes } from './identity/applications/routes.ts';
import { registerManagementRoutes } from './identity/management/routes.ts';
import { registerIdentityRoutes } from './identity/routes.ts';
import { registerOrderRoutes } from './orders/routes.ts';
import { registerQuotaRoutes } from './quotas/routes.ts';
import { registerSecretStoreRoutes } from './secret-stores/routes.ts';
import { registerMetadataRoutes } from './secrets/metadata-routes.ts';
import { consumersOfSecrets, secretAcls } from './secrets/owner.ts';
import { registerSecretRoutes } from './secrets/routes.ts';
import { registerTransportKeyRoutes } from './transport-keys/routes.ts';

export interface AppOptions {
  coffer: Coffer;
  /** Undefined with an outside Keystone: then nothing under `/identity` is served. */
  identity: Identity | undefined;
  metrics: Metrics;
  http: HttpServerOptions;
  health: HealthOptions;
  /** Takes a project with all that it holds. */
  deleteProject: (projectId: string) => Promise<void>;
  /** Of the package. */
  version: string;
}

/** Every plugin and every route, on one page. It does not listen. */
export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const { coffer, identity, metrics, http, health, version } = options;
  const app = createHttpServer(http);
  observe(app, metrics);
  await serveApiDescription(app, { publicUrl: coffer.publicUrl, version });

  registerDiscovery(app, { publicUrl: coffer.publicUrl, version });
  registerHealthRoutes(app, coffer, health);
  registerUnsealRoutes(app);
  if (identity !== undefined) {
    registerIdentityRoutes(app, coffer, identity);
    registerFederationRoutes(app, coffer, identity);
    registerApplicationRoutes(app, coffer);
    registerManagementRoutes(app, coffer, identity, options.deleteProject);
    registerRedemptionRoutes(app, coffer);
  }

  registerQuotaRoutes(app, coffer);
  registerSecretStoreRoutes(app, coffer);
  registerTransportKeyRoutes(app, coffer);

  registerSecretRoutes(app, coffer);
  registerMetadataRoutes(app, coffer);
  registerAclRoutes(app, coffer, secretAcls);
  registerContainerRoutes(app, coffer);
  registerAclRoutes(app, coffer, containerAcls);
  registerConsumerRoutes(app, coffer, consumersOfContainers);
  registerConsumerRoutes(app, coffer, consumersOfSecrets);
  registerOrderRoutes(app, coffer);
  return app;
}

function observe(app: FastifyInstance, metrics: Metrics): void {
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    metrics.observeRequest(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
    done();
  });
  app.addHook('onError', (request, _reply, error, done) => {
    if (error instanceof CofferError && error.code === 'integrity_violation') {
      metrics.countIntegrityViolation(request.routeOptions.url ?? 'unknown');
    }
    done();
  });
}
