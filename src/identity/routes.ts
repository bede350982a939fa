import { createPublicKey } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { recordDecision } from '../audit/record.ts';
import type { Coffer } from '../coffer.ts';
import { CofferError } from '../errors.ts';
import { readJson } from '../http/body.ts';
import { callerOf } from '../http/caller.ts';
import type { Identity, KnownToken } from './identity.ts';
import { DEFAULT_DOMAIN, parseLogin } from './keystone-requests.ts';
import { formatCatalog, formatToken, formatVersion } from './keystone-wire.ts';

const TOKENS = '/identity/v3/auth/tokens';
type Query = Record<string, string>;

export function registerIdentityRoutes(app: FastifyInstance, coffer: Coffer, identity: Identity): void {
  registerDiscovery(app, coffer.publicUrl);
  registerTokens(app, coffer, identity);
  const { publicUrl } = coffer;

  app.get('/identity/v3/auth/catalog', { config: { actor: true } }, async (request) => {
    if (request.actor.projectId === null) {
      throw new CofferError('forbidden', 'A project-scoped token is required to produce a service catalog.');
    }
    return {
      catalog: formatCatalog(coffer),
      links: { self: `${publicUrl}/identity/v3/auth/catalog` },
    };
  });

  app.get('/identity/v3/auth/projects', { config: { actor: true } }, async (request) => {
    const projects = await identity.listProjects(request.actor.userId);
    return {
      projects: projects.map(({ id, name, description, enabled }) => ({
        id,
        name,
        description: description ?? '',
        enabled,
        domain_id: DEFAULT_DOMAIN.id,
        parent_id: DEFAULT_DOMAIN.id,
        is_domain: false,
        tags: [],
        options: {},
        links: { self: `${publicUrl}/identity/v3/projects/${id}` },
      })),
      links: { self: `${publicUrl}/identity/v3/auth/projects`, previous: null, next: null },
    };
  });

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
  const describe = async ({ claims, rights }: KnownToken, query: Query): Promise<object> => {
    const catalog = Object.hasOwn(query, 'nocatalog') ? undefined : formatCatalog(coffer);
    return formatToken(claims, rights, await identity.listRoles(), catalog);
  };

  app.post<{ Querystring: Query }>(TOKENS, { config: { public: true } }, async (request, reply) => {
    const login = parseLogin(await readJson(request, coffer.limits.bodyBytesMax));
    const issued = await identity.login(login, { source: request.ip, requestId: request.id });
    reply.code(201).header('x-subject-token', issued.token).header('vary', 'X-Auth-Token');
    return await describe(issued, request.query);
  });

  /** The token in question, for whoever may know of it. */
  const openSubject = async (request: FastifyRequest, action: SubjectAction): Promise<Subject> => {
    const token = request.headers['x-subject-token'];
    if (typeof token !== 'string' || token === '')
      throw new CofferError('not_found', 'No token in the request');
    const known = await identity.describe(token);
    requireRight(coffer, request, action, known);
    return { token, known };
  };

  app.get<{ Querystring: Query }>(TOKENS, { config: { actor: true } }, async (request, reply) => {
    const { token, known } = await openSubject(request, 'identity:validate_token');
    reply.header('x-subject-token', token).header('vary', 'X-Auth-Token');
    return await describe(known, request.query);
  });

  app.head(TOKENS, { config: { actor: true } }, async (request, reply) => {
    const { token } = await openSubject(request, 'identity:check_token');
    return await reply.header('x-subject-token', token).header('vary', 'X-Auth-Token').send();
  });

  app.delete(TOKENS, { config: { actor: true } }, async (request, reply) => {
    const { known } = await openSubject(request, 'identity:revoke_token');
    await identity.revoke(known.claims);
    return await reply.code(204).send();
  });
}

type SubjectAction = 'identity:validate_token' | 'identity:check_token' | 'identity:revoke_token';

interface Subject {
  token: string;
  known: KnownToken;
}

/**
 * Whoever validates for others (keystonemiddleware) does so as an administrator; all others see their own
 * tokens.
 */
function requireRight(
  coffer: Coffer,
  request: FastifyRequest,
  action: SubjectAction,
  known: KnownToken,
): void {
  const { actor } = request;
  const allowed = actor.userId === known.rights.user.id || actor.roles.includes('admin');
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
