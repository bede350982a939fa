import { createPublicKey } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Coffer } from '../coffer.ts';
import { CofferError } from '../errors.ts';
import { readJson } from '../http/body.ts';
import { DEFAULT_DOMAIN } from './administration.ts';
import type { Identity, IssuedToken } from './identity.ts';
import { parseLogin } from './keystone-requests.ts';
import { formatCatalog, formatToken, formatVersion } from './keystone-wire.ts';

const TOKENS = '/identity/v3/auth/tokens';
type Query = Record<string, string>;

export function registerIdentityRoutes(app: FastifyInstance, coffer: Coffer, identity: Identity): void {
  registerDiscovery(app, coffer.publicUrl);
  registerTokens(app, coffer, identity);
  const { publicUrl } = coffer;

  app.get('/identity/v3/auth/catalog', { config: { actor: true } }, async () => ({
    catalog: formatCatalog(coffer),
    links: { self: `${publicUrl}/identity/v3/auth/catalog`, previous: null, next: null },
  }));

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
  app.get('/identity/jwks', { config: { public: true } }, async () => ({
    keys: identity.verificationKeys().map((key) => ({
      ...createPublicKey(key.publicKeyPem).export({ format: 'jwk' }),
      kid: key.id,
      alg: 'EdDSA',
      use: 'sig',
    })),
  }));
}

function registerDiscovery(app: FastifyInstance, publicUrl: string): void {
  app.get('/identity', { config: { public: true } }, async (_request, reply) => {
    reply.code(300);
    return { versions: { values: [formatVersion(publicUrl)] } };
  });
  app.get('/identity/v3', { config: { public: true } }, async () => ({ version: formatVersion(publicUrl) }));
}

function registerTokens(app: FastifyInstance, coffer: Coffer, identity: Identity): void {
  const describe = async ({ claims, rights }: Omit<IssuedToken, 'token'>, query: Query): Promise<object> => {
    const catalog = Object.hasOwn(query, 'nocatalog') ? undefined : formatCatalog(coffer);
    return formatToken(claims, rights, await identity.listRoles(), catalog);
  };

  app.post<{ Querystring: Query }>(TOKENS, { config: { public: true } }, async (request, reply) => {
    const issued = await identity.login(parseLogin(await readJson(request, coffer.limits.bodyBytesMax)));
    reply.code(201).header('x-subject-token', issued.token).header('vary', 'X-Auth-Token');
    return await describe(issued, request.query);
  });

  app.get<{ Querystring: Query }>(TOKENS, { config: { actor: true } }, async (request, reply) => {
    const subject = subjectToken(request);
    const described = await identity.describe(subject);
    requireOwnToken(request, described.rights.user.id);
    reply.header('x-subject-token', subject).header('vary', 'X-Auth-Token');
    return await describe(described, request.query);
  });

  app.head(TOKENS, { config: { actor: true } }, async (request, reply) => {
    const subject = subjectToken(request);
    requireOwnToken(request, (await identity.describe(subject)).rights.user.id);
    return await reply.header('x-subject-token', subject).header('vary', 'X-Auth-Token').send();
  });

  app.delete(TOKENS, { config: { actor: true } }, async (request, reply) => {
    const subject = subjectToken(request);
    requireOwnToken(request, (await identity.describe(subject)).rights.user.id);
    await identity.revoke(subject);
    return await reply.code(204).send();
  });
}

function subjectToken(request: FastifyRequest): string {
  const subject = request.headers['x-subject-token'];
  if (typeof subject !== 'string' || subject === '') {
    throw new CofferError('bad_request', 'X-Subject-Token is missing.');
  }
  return subject;
}

/** Validators act for others (as keystonemiddleware does), with an administrator's token; others see their own tokens. */
function requireOwnToken(request: FastifyRequest, userId: string): void {
  const { actor } = request;
  if (actor.userId === userId || actor.roles.includes('admin')) return;
  throw new CofferError('forbidden', 'You are not authorized to perform the requested action.');
}
