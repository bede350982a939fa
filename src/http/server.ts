import { randomUUID } from 'node:crypto';
import Fastify, { type FastifyInstance, type FastifyReply, LogController } from 'fastify';
import { CofferError } from '../errors.ts';
import { logAccess } from './access-log.ts';
import { type Authenticate, identifyByToken } from './auth.ts';
import { discardRest } from './body.ts';
import { answerClientError, trackResponses } from './client-errors.ts';
import { type ErrorHandling, sendFailure } from './error-handler.ts';
import type { FailureLog } from './failure-log.ts';
import { gateFor, type GateKeeping, refuseUnrouted, requireGuard } from './gate.ts';
import { defaultHttpLimits, type HttpLimits } from './limits.ts';
import { noAuthenticate } from './no-auth.ts';
import { createNodeServer, type TlsFiles } from './node-server.ts';
import { Overload } from './overload.ts';
import { parseQueryString } from './query-string.ts';
import { checkHeaders } from './request-headers.ts';
import './request-context.ts';
import { RouteTable } from './route-table.ts';
import { pathOf, surfaceOf } from './surface.ts';

export interface HttpServerOptions {
  publicUrl: string;
  /** Where tokens are had, if not here. */
  identityUrl?: string | undefined;
  log: FailureLog;
  authenticate: Authenticate;
  /** Believe the headers of requests to `/v1` and `/v2` instead of asking for a token. */
  noAuth?: boolean;
  limits?: Partial<HttpLimits>;
  tls?: TlsFiles;
  /** Log one request in so many; 0 for none. */
  accessLogEvery?: number;
  /** Refuses whatever has no route here, in place of telling what exists from what does not. */
  refuseUnrouted?: () => Error;
}

/**
 * A Fastify instance with all manners and no route. Register routes on it, each with `config: { action }`, `{
 * actor: true }` or `{ public: true }`: every request passes header checks, overload, and its route's gate.
 */
export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const limits: HttpLimits = { ...defaultHttpLimits, ...options.limits };
  const { publicUrl, identityUrl = `${publicUrl}/identity`, log } = options;
  const handling: ErrorHandling = { identityUrl, log };
  const manners = staticHeaders(options.publicUrl);
  let responses: ReturnType<typeof trackResponses> | undefined;

  const app = Fastify({
    logger: false,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => `req-${randomUUID()}`,
    requestIdHeader: false,
    exposeHeadRoutes: false,
    // our own refusal while draining, in our own shape
    return503OnClosing: false,
    routerOptions: {
      ignoreTrailingSlash: true,
      ignoreDuplicateSlashes: true,
      caseSensitive: true,
      maxParamLength: limits.headerBytesMax,
      querystringParser: parseQueryString,
    },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
    serverFactory: (handler) => {
      const server = createNodeServer(handler, limits, options.tls);
      responses = trackResponses(server);
      return server;
    },
    clientErrorHandler: (error, socket) => answerClientError(error, socket, responses ?? new WeakMap()),
    frameworkErrors: (error, request, reply) => {
      // no hook runs for these, and the generics of this one signature fit no other
      const anyReply = reply as unknown as FastifyReply;
      setHeaders(anyReply, manners);
      discardRest(request.raw);
      sendFailure(handling, error, request, anyReply);
    },
  });

  app.setErrorHandler((error, request, reply) => sendFailure(handling, error, request, reply));
  const overload = new Overload(limits, options.log);
  // Before the gate, so that each of the two gets its own.
  addHeads(app);
  addGate(app, { identifyOn: identification(options), overload, log }, options.refuseUnrouted);
  addManners(app, overload, limits, manners);
  leaveBodiesToHandlers(app);
  logAccess(app, options.log, options.accessLogEvery ?? 0);
  return app;
}

type Manners = readonly (readonly [string, string])[];

function staticHeaders(publicUrl: string): Manners {
  return [
    ['x-content-type-options', 'nosniff'],
    ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
    ['referrer-policy', 'no-referrer'],
    ['cache-control', 'no-store'],
    ...(publicUrl.startsWith('https:') ? ([['strict-transport-security', 'max-age=31536000']] as const) : []),
  ];
}

function setHeaders(reply: FastifyReply, manners: Manners): void {
  reply.header('x-openstack-request-id', reply.request.id);
  for (const [name, value] of manners) reply.header(name, value);
}

function addManners(app: FastifyInstance, overload: Overload, limits: HttpLimits, manners: Manners): void {
  app.addHook('preClose', (done) => {
    overload.drain();
    done();
  });
  app.addHook('onClose', (_app, done) => {
    overload.close();
    done();
  });
  app.decorateRequest('inFlight', null);

  app.addHook('onRequest', (request, reply, done) => {
    setHeaders(reply, manners);
    checkHeaders(request.raw, reply, limits);
    if (request.url.includes('%00')) throw new CofferError('bad_request', 'The address contains a NUL.');
    if (request.method === 'OPTIONS') {
      void reply.code(200).send();
      return;
    }
    overload.count += 1;
    request.inFlight = overload;
    done();
  });

  app.addHook('onSend', (request, reply, payload, done) => {
    if (request.inFlight !== null) {
      request.inFlight.count -= 1;
      request.inFlight = null;
    }
    discardRest(request.raw);
    // kept open, it would keep the server from closing
    if (overload.draining) reply.header('connection', 'close');
    // JSON has no charset (RFC 8259 §11), and Barbican's answers have none
    if (reply.getHeader('content-type') === 'application/json; charset=utf-8') {
      reply.header('content-type', 'application/json');
    }
    done(null, payload);
  });
}

function identification(options: HttpServerOptions): GateKeeping['identifyOn'] {
  const byToken = identifyByToken(options.authenticate);
  return (surface) =>
    options.noAuth === true && (surface === 'v1' || surface === 'v2') ? noAuthenticate : byToken;
}

function addGate(
  app: FastifyInstance,
  keeping: GateKeeping,
  refusal: HttpServerOptions['refuseUnrouted'],
): void {
  const routes = new RouteTable();
  app.decorateRequest('actor');
  app.decorateRequest('identify', null);
  app.decorateRequest('microversion');
  app.addHook('onRoute', (route) => {
    requireGuard(route);
    routes.add(route.url, [route.method].flat());
    route.onRequest = [gateFor(route, keeping), ...[route.onRequest ?? []].flat()];
  });
  app.setNotFoundHandler(async (request, reply) => {
    if (refusal !== undefined) throw refusal();
    await refuseUnrouted(routes, keeping, request, reply);
  });
}

/**
 * Keystone answers HEAD wherever it answers GET, and the key-manager API nowhere. Balancers and monitors
 * probe with it.
 */
function addHeads(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    const { method, url } = route;
    const isAnswered = surfaceOf(pathOf(url)) === 'identity' || route.config?.probe === true;
    if (method !== 'GET' || !isAnswered) return;
    if (!app.hasRoute({ method: 'HEAD', url })) app.route({ ...route, method: 'HEAD' });
  });
}

/**
 * Rights come before bodies: nothing of a body is read until the handler asks, and a schema of one only
 * documents.
 */
function leaveBodiesToHandlers(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.addHook('onRoute', (route) => {
    if (route.schema?.body !== undefined) route.validatorCompiler ??= () => () => true;
  });
}
