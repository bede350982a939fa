import type { FastifyRequest } from 'fastify';
import type { ProjectRow } from '../../db/schema.ts';
import { CofferError } from '../../errors.ts';
import { described } from '../../http/documentation.ts';
import { DEFAULT_DOMAIN } from '../keystone-requests.ts';
import { answerList, type Desk, manageFor, type Query, readOnce } from './asking.ts';
import { parseExtra, parseMember, pick, PROJECT, requireSame } from './bodies.ts';
import { parseTagFilter } from './extra.ts';
import { isDefaultDomain, LIST_MAX, parseListFilter, parseTruth } from './filters.ts';
import { describe } from './openapi.ts';
import * as projects from './projects.ts';
import { formatDomainAsProject, formatProject } from './wire.ts';

type ProjectRoute = { Params: { projectId: string } };
const PROJECTS = '/identity/v3/projects';
const ONE = `${PROJECTS}/:projectId`;
const CHANGES = ['name', 'description', 'enabled'] as const;
const params = ['projectId'];

export function registerProjectRoutes(
  desk: Desk,
  destroyProject: (projectId: string) => Promise<void>,
): void {
  registerProjectLists(desk);
  registerDeletion(desk, destroyProject);
  const { app, base } = desk;

  app.get<ProjectRoute>(
    ONE,
    {
      config: { action: 'identity:get_project' },
      ...described(describe('Show a project', { params, done: { 200: 'The project' }, refused: [404] })),
    },
    async (request) => {
      const project = await projects.getProject(manageFor(desk, request), request.params.projectId);
      return { project: formatProject(base, project) };
    },
  );

  const documentation = { params, body: ['project', PROJECT] as const, refused: [400, 404, 409] };
  app.patch<ProjectRoute>(
    ONE,
    {
      config: { action: 'identity:update_project' },
      ...described(
        describe('Change a project', { ...documentation, done: { 200: 'The project as it is now' } }),
      ),
    },
    async (request) => {
      const { projectId } = request.params;
      const read = readOnce(desk, request, (body) => {
        requireSame(body, 'project', projectId);
        const changes = pick(parseMember(body, 'project', PROJECT), CHANGES) as projects.ProjectChanges;
        return { ...changes, extra: parseExtra(body, 'project', PROJECT) };
      });
      const project = await projects.updateProject(manageFor(desk, request), projectId, read);
      return { project: formatProject(base, project) };
    },
  );
}

function registerDeletion(desk: Desk, destroy: (projectId: string) => Promise<void>): void {
  desk.app.delete<ProjectRoute>(
    ONE,
    {
      config: { action: 'identity:delete_project' },
      ...described(
        describe('Delete a project with all that it holds', {
          params,
          done: { 204: 'Gone' },
          refused: [404],
        }),
      ),
    },
    async (request, reply) => {
      await projects.deleteProject(manageFor(desk, request), request.params.projectId, destroy);
      return await reply.code(204).send();
    },
  );
}

function registerProjectLists(desk: Desk): void {
  const { app, base } = desk;
  const tags = ['tags', 'tags-any', 'not-tags', 'not-tags-any'];
  const query = ['name', 'domain_id', 'parent_id', 'enabled', 'is_domain', 'limit', 'marker', ...tags];

  app.get<{ Querystring: Query }>(
    PROJECTS,
    {
      config: { action: 'identity:list_projects' },
      ...described(describe('List projects', { query, done: { 200: 'The projects' }, refused: [400] })),
    },
    async (request) => await listProjects(desk, request),
  );

  const documentation = { body: ['project', PROJECT, 'name'] as const, refused: [400, 409] };
  app.post(
    PROJECTS,
    {
      config: { action: 'identity:create_project' },
      ...described(describe('Open a project', { ...documentation, done: { 201: 'The project' } })),
    },
    async (request, reply) => {
      const project = await projects.createProject(
        manageFor(desk, request),
        readOnce(desk, request, parseNewProject),
      );
      return await reply.code(201).send({ project: formatProject(base, project) });
    },
  );
}

async function listProjects(desk: Desk, request: FastifyRequest<{ Querystring: Query }>): Promise<object> {
  const { query } = request;
  const isOfDomains = query.is_domain !== undefined && parseTruth(query.is_domain);
  // All projects stand right under the domain, none under another.
  const filter = isDefaultDomain(query.parent_id) && !isOfDomains ? parseListFilter(query) : undefined;
  const hasTags = parseTagFilter(query);
  const matches = ({ extra }: ProjectRow): boolean => hasTags?.(extra) ?? true;
  const { rows, next } = await projects.listProjects(manageFor(desk, request), filter, matches);
  const domains = isOfDomains && (query.name ?? DEFAULT_DOMAIN.name) === DEFAULT_DOMAIN.name;
  const items = domains
    ? [formatDomainAsProject(desk.base)]
    : rows.map((row) => formatProject(desk.base, row));
  const more = next === undefined ? {} : { next, limit: filter?.limit ?? LIST_MAX };
  return answerList(desk, request, 'projects', items, more);
}

function parseNewProject(body: unknown): projects.ProjectChanges & { name: string } {
  const wanted = parseMember(body, 'project', PROJECT, ['name']);
  if (wanted.is_domain === true) {
    throw new CofferError('forbidden', `There is one domain, ${DEFAULT_DOMAIN.name}, and it is read-only.`);
  }
  for (const [noun, id] of [
    ['domain', wanted.domain_id],
    ['project', wanted.parent_id],
  ] as const) {
    if (typeof id === 'string' && id !== DEFAULT_DOMAIN.id) {
      throw new CofferError(
        'bad_request',
        `Could not find ${noun}: ${id}. Projects have no projects under them.`,
      );
    }
  }
  const known = pick(wanted, CHANGES) as projects.ProjectChanges & { name: string };
  return { ...known, extra: parseExtra(body, 'project', PROJECT) };
}
