import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Coffer } from '../coffer.ts';
import { CofferError } from '../errors.ts';
import { requireContentType } from '../http/body.ts';
import { callerOf } from '../http/caller.ts';
import { described } from '../http/documentation.ts';
import { onceJson } from '../http/json-body.ts';
import { envelope, readPage } from '../http/paging.ts';
import { quotaDocumentation } from './openapi.ts';
import { LIMITED, type ProjectLimits } from './record.ts';
import * as service from './service.ts';

type ProjectRoute = { Params: { projectId: string } };

const ALL = '/v1/project-quotas';
const ONE = '/v1/project-quotas/:projectId';

export function registerQuotaRoutes(app: FastifyInstance, coffer: Coffer): void {
  const { publicUrl, limits } = coffer;

  app.get(
    '/v1/quotas',
    { config: { action: 'quotas:get' }, ...described(quotaDocumentation.effective) },
    async (request) => ({
      quotas: Object.fromEntries(await service.getEffectiveLimits(coffer, callerOf(request))),
    }),
  );

  app.get<{ Querystring: Record<string, string> }>(
    ALL,
    { config: { action: 'project_quotas:get' }, ...described(quotaDocumentation.list) },
    async (request) => {
      const { query } = request;
      const page = readPage(query, limits);
      const { projects, total } = await service.listProjectLimits(coffer, callerOf(request), page);
      const items = projects.map((project) => ({
        project_id: project.id,
        project_quotas: onWire(project.limits),
      }));
      return envelope('project_quotas', { items, total }, { publicUrl, path: ALL, query, page });
    },
  );

  app.get<ProjectRoute>(
    ONE,
    { config: { action: 'project_quotas:get' }, ...described(quotaDocumentation.get) },
    async (request) => {
      const found = await service.getProjectLimits(coffer, callerOf(request), request.params.projectId);
      return { project_quotas: onWire(found) };
    },
  );

  app.put<ProjectRoute>(
    ONE,
    { config: { action: 'project_quotas:put', accept: 'any' }, ...described(quotaDocumentation.set) },
    async (request, reply) => {
      const readBody = onceBody(request, limits.bodyBytesMax);
      await service.setProjectLimits(coffer, callerOf(request), request.params.projectId, readBody);
      return await reply.code(204).send();
    },
  );

  app.delete<ProjectRoute>(
    ONE,
    { config: { action: 'project_quotas:delete', accept: 'any' }, ...described(quotaDocumentation.remove) },
    async (request, reply) => {
      await service.removeProjectLimits(coffer, callerOf(request), request.params.projectId);
      return await reply.code(204).send();
    },
  );
}

/** Here alone Barbican has words of its own for a body that is empty. */
function onceBody(request: FastifyRequest, bytesMax: number): () => Promise<unknown> {
  const read = onceJson(request, bytesMax);
  return async () => {
    requireContentType(request, ['application/json']);
    const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.raw.headers;
    if (length === '0' && encoding === undefined) {
      throw new CofferError('bad_request', 'Project Quotas issue seen - No data supplied to process..');
    }
    return await read();
  };
}

function onWire(limits: ProjectLimits): Record<string, number | null> {
  return Object.fromEntries(LIMITED.map((name) => [name, limits.get(name) ?? null]));
}
