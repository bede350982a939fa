import { createPublicKey } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { recordDecision } from '../audit/record.ts';
import type { Coffer } from '../coffer.ts';
import { CofferError } from '../errors.ts';
import { readJson } from '../http/body.ts';
import { callerOf } from '../http/caller.ts';
import { described } from '../http/documentation.ts';
import type { Identity, KnownToken } from './identity.ts';
import { parseLogin } from './keystone-requests.ts';
import { formatCatalog, formatToken, formatVersion } from './keystone-wire.ts';
import { tokenDocumentation } from './openapi.ts';
import { registerScopes } from './scope-routes.ts';

const TOKENS = '/identity/v3/auth/tokens';
type Query = Record<string, string>;

export function registerIdentityRoutes(app: FastifyInstance, coffer: Coffer, identity: Identity): void {
  registerDiscovery(app, coffer.publicUrl);
  registerTokens(app, coffer, identity);
  registerScopes(app, coffer, identity);

  // RFC 7517; for whoever wants to verify tokens without asking.
  app.get('/identity/jwks', { config: { public: true } }, async (_request, reply) => {
    // A key is published for longer than this before it signs.
    reply.header('cache-control', 'public, max-age=60');
    return {
      keys: identity.verificationKeys().map((key) => ({
        ...createPublicKey(key.publicKeyPem).export({ format: 'jwk' }),
        kid: key.id,
        alg: 'EdDSA',
        use: 'sig',
      })),
    };
  });
}

function registerDiscovery(app: FastifyInstance, publicUrl: string): void {
  app.get('/identity', { config: { public: true } }, async (_request, reply) => {
    reply.code(300).header('location', `${publicUrl}/identity/v3/`);
    return { versions: { values: [formatVersion(publicUrl)] } };
  });
  app.get('/identity/v3', { config: { public: true } }, async () => ({ version: formatVersion(publicUrl) }));
}

function registerTokens(app: FastifyInstance, coffer: Coffer, identity: Identity): void {
  const fullCatalog = formatCatalog(coffer);
  const describe = async ({ claims, rights }: KnownToken, query: Query): Promise<object> => {
    const catalog = Object.hasOwn(query, 'nocatalog') ? undefined : fullCatalog;
    return formatToken(claims, rights, await identity.listRoles(), catalog);
  };

  app.post<{ Querystring: Query }>(
    TOKENS,
    { config: { public: true }, ...described(tokenDocumentation.post) },
    async (request, reply) => {
      const login = parseLogin(await readJson(request, coffer.limits.bodyBytesMax));
      const issued = await identity.login(login, { source: request.ip, requestId: request.id });
      reply.code(201).header('x-subject-token', issued.token).header('vary', 'X-Auth-Token');
      return await describe(issued, request.query);
    },
  );

  const openSubject = createSubjectOpening(coffer, identity);

  // Before GET, which would bring one that describes the token in vain.
  app.head<{ Querystring: Query }>(
    TOKENS,
    { config: { actor: true }, ...described(tokenDocumentation.head) },
    async (request, reply) => {
      const { token } = await openSubject(request, 'identity:check_token', expiredAsked(request.query));
      return await reply.header('x-subject-token', token).header('vary', 'X-Auth-Token').send();
    },
  );

  app.get<{ Querystring: Query }>(
    TOKENS,
    { config: { actor: true }, ...described(tokenDocumentation.get) },
    async (request, reply) => {
      const { token, known } = await openSubject(
        request,
        'identity:validate_token',
        expiredAsked(request.query),
      );
      reply.header('x-subject-token', token).header('vary', 'X-Auth-Token');
      return await describe(known, request.query);
    },
  );

  app.delete(
    TOKENS,
    { config: { actor: true }, ...described(tokenDocumentation.delete) },
    async (request, reply) => {
      const { known } = await openSubject(request, 'identity:revoke_token', { allowExpired: false });
      await identity.revoke(known.claims);
      return await reply.code(204).send();
    },
  );
}

type SubjectAction = 'identity:validate_token' | 'identity:check_token' | 'identity:revoke_token';

interface Subject {
  token: string;
  known: KnownToken;
}

/** The token in question, for whoever may know of it. */
function createSubjectOpening(coffer: Coffer, identity: Identity) {
  return async (
    request: FastifyRequest,
    action: SubjectAction,
    options: { allowExpired: boolean },
  ): Promise<Subject> => {
    const token = request.headers['x-subject-token'];
    if (typeof token !== 'string' || token === '') {
      throw new CofferError('not_found', 'No token in the request');
    }
    const known = await identity.describe(token, options);
    requireRight(coffer, request, action, known);
    return { token, known };
  };
}

/** Of a service that goes on with what its user began. */
function expiredAsked({ allow_expired: asked = '' }: Query): { allowExpired: boolean } {
  return { allowExpired: ['1', 't', 'true', 'on', 'y', 'yes'].includes(asked.toLowerCase()) };
}

/**
 * Whoever validates for others (keystonemiddleware) does so as an administrator, or as a reader of the
 * system; all others see their own tokens.
 */
function requireRight(
  coffer: Coffer,
  request: FastifyRequest,
  action: SubjectAction,
  known: KnownToken,
): void {
  const { actor } = request;
  const isSystemReader = actor.scope === 'system' && actor.roles.includes('reader');
  const allowed =
    actor.userId === known.rights.user.id ||
    actor.roles.includes('admin') ||
    (isSystemReader && action !== 'identity:revoke_token');
  recordDecision(coffer.log, callerOf(request), {
    action,
    allowed,
    subject: known.claims.jti,
    subjectProject: known.rights.project?.id ?? null,
  });
  if (!allowed) {
    throw new CofferError('forbidden', 'You are not authorized to perform the requested action.');
  }
}
