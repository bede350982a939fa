import type {
  FastifyReply,
  FastifyRequest,
  onRequestAsyncHookHandler,
  onRequestHookHandler,
  RouteOptions,
} from 'fastify';
import { type DecisionLog, recordDecision } from '../audit/record.ts';
import { CofferError } from '../errors.ts';
import { allowsRequest } from '../policy/access-rules.ts';
import type { Actor } from '../policy/actor.ts';
import { type Identify, requireProject } from './auth.ts';
import { MethodNotAllowed } from './errors.ts';
import { formatMicroversion, microversionHeader, parseMicroversion } from './microversions.ts';
import { requireJsonAccepted } from './negotiation.ts';
import type { Overload } from './overload.ts';
import { requireIdSyntax } from './refs.ts';
import type { RouteTable } from './route-table.ts';
import { pathOf, type Surface, surfaceOf } from './surface.ts';

type IdentifyOn = (surface: Surface) => Identify;

export interface GateKeeping {
  identifyOn: IdentifyOn;
  overload: Overload;
  log: DecisionLog;
}

/** A route says who may come in, or the server does not start. */
export function requireGuard(route: RouteOptions): void {
  const { action, actor, public: open } = route.config ?? {};
  const guards = [action !== undefined, actor === true, open === true].filter(Boolean);
  if (guards.length !== 1) {
    const methods = [route.method].flat().join(', ');
    throw new Error(
      `route ${methods} ${route.url}: config needs exactly one of action, actor: true, public: true`,
    );
  }
}

/**
 * What a request to one route passes before its handler, in the order clients rely on: overload (503),
 * identity (401), microversion (400, 406), syntax of ids (404), Accept (406). Rights (403), Content-Type
 * (415) and body (400, 413) are the handler's.
 */
export function gateFor(
  route: RouteOptions,
  { identifyOn, overload, log }: GateKeeping,
): onRequestHookHandler | onRequestAsyncHookHandler {
  const surface = surfaceOf(pathOf(route.url));
  const { public: open, accept, probe, asksToo } = route.config ?? {};
  const answersJson = accept === undefined ? expectsJson(surface, route) : accept === 'json';

  function admit(request: FastifyRequest, reply: FastifyReply): void {
    negotiateMicroversion(surface, request, reply);
    requireIdSyntax(request.params as Record<string, unknown>);
    if (answersJson) requireJsonAccepted(request.raw.headers.accept);
  }

  if (open === true) {
    return (request, reply, done) => {
      if (probe !== true) overload.check();
      admit(request, reply);
      done();
    };
  }
  const identify = identifyOn(surface);
  const template = route.url.split('/').filter((segment) => segment !== '');
  const routed = (parameters: Parameters): string[] =>
    template.flatMap((segment) => {
      if (segment === '*') return (parameters['*'] ?? '').split('/');
      return segment.startsWith(':') ? [parameters[segment.slice(1)] ?? ''] : [segment];
    });
  const identifyIn = async (request: FastifyRequest): Promise<Actor> => {
    const actor = await identify(request.raw.headers);
    requireProject(actor, surface);
    requireAccess(log, request, actor, surface, () => routed(request.params as Parameters));
    const other = asksToo?.(request);
    if (other !== undefined) requireAccess(log, request, actor, surface, () => other);
    return actor;
  };
  return async (request: FastifyRequest, reply: FastifyReply) => {
    if (probe !== true) overload.check();
    request.actor = await identifyIn(request);
    request.identify = identifyIn;
    admit(request, reply);
  };
}

type Parameters = Readonly<Record<string, string>>;

/**
 * What a token's access rules allow, by the segments of the route that was found, so that no spelling of the
 * address is judged other than it is served. Identity's own paths begin with its version, as in Keystone.
 */
function requireAccess(
  log: DecisionLog,
  { id: requestId, method, routeOptions: { config, url } }: FastifyRequest,
  actor: Actor,
  surface: Surface,
  segments: () => readonly string[],
): void {
  if (actor.accessRules === null) return;
  const isIdentity = surface === 'identity';
  const path = isIdentity ? segments().slice(1) : segments();
  const asked = { service: isIdentity ? 'identity' : 'key-manager', method, segments: path };
  if (allowsRequest(actor.accessRules, asked)) return;
  recordDecision(
    log,
    { actor, requestId },
    {
      // Never the address, which may name things.
      action: config.action ?? `${method} ${url ?? 'unknown'}`,
      allowed: false,
      subject: null,
      subjectProject: actor.projectId,
      reason: 'access rules',
    },
  );
  throw new CofferError('forbidden', 'The access rules of the application credential do not allow this.');
}

/** A DELETE mostly answers nothing, so what it would be in does not matter. */
function expectsJson(surface: Surface, route: RouteOptions): boolean {
  return (surface === 'v1' || surface === 'v2') && ![route.method].flat().includes('DELETE');
}

function negotiateMicroversion(surface: Surface, request: FastifyRequest, reply: FastifyReply): void {
  if (surface !== 'v1' && surface !== 'root') return;
  const header = request.raw.headers[microversionHeader];
  request.microversion = parseMicroversion(typeof header === 'string' ? header : undefined);
  reply.header(microversionHeader, `key-manager ${formatMicroversion(request.microversion)}`);
  reply.header('vary', microversionHeader);
}

/** Nothing under `/v1` and `/v2` tells a stranger what exists there, so identity comes before 404 and 405. */
export async function refuseUnrouted(
  routes: RouteTable,
  { identifyOn, overload, log }: GateKeeping,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<never> {
  overload.check();
  const path = pathOf(request.raw.url ?? '/');
  const surface = surfaceOf(path);
  if (surface === 'v1' || surface === 'v2') {
    const actor: Actor = await identifyOn(surface)(request.raw.headers);
    requireProject(actor, surface);
    requireAccess(log, request, actor, surface, () => path.slice(1).split('/'));
  }
  negotiateMicroversion(surface, request, reply);
  const match = routes.match(path);
  if (match === undefined) throw new CofferError('not_found', '');
  requireIdSyntax(match.parameters);
  throw new MethodNotAllowed(match.methods);
}
