import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { unauthorized } from '../../src/http/auth.ts';
import { readBody, readJson, requireContentType } from '../../src/http/body.ts';
import { registerDiscovery } from '../../src/http/discovery.ts';
import { createHttpServer, type HttpServerOptions } from '../../src/http/server.ts';
import { CofferError } from '../../src/errors.ts';
import type { Actor } from '../../src/policy/actor.ts';

export const publicUrl = 'http://kms.example:9311';
export const secretId = 'dcd327cc-56ea-478f-b761-911e3edcfb94';

export interface LogLine {
  level: string;
  message: string;
  fields: object;
}

export function recordingLog(lines: LogLine[]): HttpServerOptions['log'] {
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, message, fields });
  return { info: at('info'), warn: at('warn'), error: at('error') };
}

const actor = (roles: string[], projectId: string | null): Actor => ({
  userId: 'u1',
  scope: projectId === null ? 'unscoped' : 'project',
  projectId,
  scopeDomainId: null,
  roles,
  domainId: null,
  auditId: 'a1',
  applicationCredentialId: null,
  accessRules: null,
});

export async function authenticate(token: string): Promise<Actor> {
  if (token === 'good') return actor(['creator'], 'p1');
  if (token === 'reader') return actor(['reader'], 'p1');
  if (token === 'unscoped') return actor(['creator'], null);
  throw unauthorized();
}

/** Routes as the slices make them: the right first, then type and body. */
function registerRoutes(app: FastifyInstance): void {
  registerDiscovery(app, { publicUrl, version: '9.9.9' });
  const authorize = (roles: readonly string[]) => {
    if (!roles.includes('creator')) throw new CofferError('forbidden', 'not allowed');
  };
  app.post('/v1/secrets', { config: { action: 'secrets:post' } }, async (request, reply) => {
    authorize(request.actor.roles);
    const body = await readJson(request, 25_000);
    return reply.code(201).send({ read: body });
  });
  app.get('/v1/secrets', { config: { action: 'secrets:get' } }, async (request) => ({
    query: request.query,
    microversion: request.microversion,
    user: request.actor.userId,
  }));
  app.get('/v1/secrets/:secretId', { config: { action: 'secret:get', accept: 'any' } }, async (request) => ({
    params: request.params,
  }));
  app.put(
    '/v1/secrets/:secretId',
    { config: { action: 'secret:put', accept: 'any' } },
    async (request, reply) => {
      authorize(request.actor.roles);
      requireContentType(request, ['application/octet-stream', 'text/plain']);
      const bytes = await readBody(request, 20_000);
      return reply.type('application/octet-stream').send(bytes);
    },
  );
  app.delete('/v1/secrets/:secretId', { config: { action: 'secret:delete' } }, async (_request, reply) =>
    reply.code(204).send(),
  );
  app.get(
    '/v1/secrets/:secretId/metadata/:key',
    { config: { action: 'secret_meta:get' } },
    async (request) => ({
      params: request.params,
    }),
  );
  app.post('/identity/v3/auth/tokens', { config: { public: true } }, async (request) => ({
    read: await readJson(request, 25_000),
  }));
  app.get('/identity/v3/projects', { config: { actor: true } }, async (request) => ({
    user: request.actor.userId,
  }));
  app.get('/failure', { config: { public: true } }, async () => {
    throw Object.assign(new Error('the value 5up3rs3cr3t is not valid'), { code: 'ERR_INVALID_ARG_VALUE' });
  });
  app.get('/busy', { config: { public: true } }, async () => {
    throw new CofferError('unavailable', 'The database is not available; try again.', {
      retryAfterSeconds: 7,
    });
  });
  app.get('/health/live', { config: { public: true, probe: true } }, async () => ({ status: 'ok' }));
}

export interface Running {
  app: FastifyInstance;
  url: string;
  port: number;
  lines: LogLine[];
}

export async function startEdge(
  options: Partial<HttpServerOptions> = {},
  more: (app: FastifyInstance) => void = () => {},
): Promise<Running> {
  const lines: LogLine[] = [];
  const app = createHttpServer({ publicUrl, log: recordingLog(lines), authenticate, ...options });
  registerRoutes(app);
  more(app);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return { app, url: `http://127.0.0.1:${port}`, port, lines };
}

/**
 * Writes the pieces as they are, in turn, and gives all that came back until the server or the clock closed.
 */
export async function rawRequest(
  port: number,
  pieces: readonly (string | Buffer)[],
  waitMilliseconds = 20_000,
): Promise<string> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const received: Buffer[] = [];
    const timer = setTimeout(() => socket.destroy(), waitMilliseconds);
    socket.on('data', (chunk) => received.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(received).toString('latin1'));
    });
    for (const piece of pieces) socket.write(piece);
  });
}

export function statusesOf(received: string): number[] {
  return [...received.matchAll(/HTTP\/1\.1 ([0-9]{3}) /g)].map((match) => Number(match[1]));
}
