import type { FastifyRequest } from 'fastify';
import { CofferError } from '../../errors.ts';
import { described } from '../../http/documentation.ts';
import { type Desk, manageFor, readOnce } from './asking.ts';
import { parseTags, tagsOf } from './extra.ts';
import { describe } from './openapi.ts';
import { getProject, updateProject } from './projects.ts';

type TagsRoute = { Params: { projectId: string } };
type TagRoute = { Params: { projectId: string; tag: string } };
const TAGS = '/identity/v3/projects/:projectId/tags';
const reads = { config: { action: 'identity:get_project' } } as const;
const changes = { config: { action: 'identity:update_project' } } as const;

/** The tags of a project: read as it is, changed as it is. */
export function registerTagRoutes(desk: Desk): void {
  registerAll(desk);
  registerOne(desk);
}

function registerAll(desk: Desk): void {
  const { app, base } = desk;
  const params = ['projectId'];
  const answer = (projectId: string, tags: readonly string[]): object => {
    return { tags, links: { self: `${base}/projects/${projectId}/tags` } };
  };

  app.get<TagsRoute>(
    TAGS,
    {
      ...reads,
      ...described(describe('The tags of a project', { params, done: { 200: 'The tags' }, refused: [404] })),
    },
    async (request) => {
      const { projectId } = request.params;
      const { extra } = await getProject(manageFor(desk, request), projectId);
      return answer(projectId, tagsOf(extra));
    },
  );

  const put = { params, done: { 200: 'The tags as they are now' }, refused: [400, 404] };
  app.put<TagsRoute>(
    TAGS,
    { ...changes, ...described(describe('Give a project other tags', put)) },
    async (request) => {
      const { projectId } = request.params;
      const readTags = readOnce(desk, request, (body) =>
        parseTags((body as { tags?: unknown } | null)?.tags),
      );
      await change(desk, request, async () => await readTags());
      return answer(projectId, await readTags());
    },
  );

  app.delete<TagsRoute>(
    TAGS,
    {
      ...changes,
      ...described(
        describe('Take all tags from a project', { params, done: { 204: 'Taken' }, refused: [404] }),
      ),
    },
    async (request, reply) => {
      await change(desk, request, async () => []);
      return await reply.code(204).send();
    },
  );
}

function registerOne(desk: Desk): void {
  const { app, base } = desk;
  const documentation = { params: ['projectId', 'tag'], refused: [400, 404] };
  const one = `${TAGS}/:tag`;

  app.get<TagRoute>(
    one,
    {
      ...reads,
      ...described(describe('Whether a project has a tag', { ...documentation, done: { 204: 'It has' } })),
    },
    async (request, reply) => {
      const { projectId, tag } = request.params;
      const { extra } = await getProject(manageFor(desk, request), projectId);
      if (!tagsOf(extra).includes(tag)) throw noTag(tag);
      return await reply.code(204).send();
    },
  );

  app.put<TagRoute>(
    one,
    {
      ...changes,
      ...described(describe('Give a project a tag', { ...documentation, done: { 201: 'It has' } })),
    },
    async (request, reply) => {
      const { projectId, tag } = request.params;
      await change(desk, request, async (tags) => parseTags(tags.includes(tag) ? tags : [...tags, tag]));
      const location = `${base}/projects/${projectId}/tags/${encodeURIComponent(tag)}`;
      return await reply.code(201).header('location', location).send();
    },
  );

  app.delete<TagRoute>(
    one,
    {
      ...changes,
      ...described(describe('Take a tag from a project', { ...documentation, done: { 204: 'Taken' } })),
    },
    async (request, reply) => {
      const { tag } = request.params;
      await change(desk, request, async (tags) => {
        if (!tags.includes(tag)) throw noTag(tag);
        return tags.filter((other) => other !== tag);
      });
      return await reply.code(204).send();
    },
  );
}

async function change(
  desk: Desk,
  request: FastifyRequest<TagsRoute>,
  next: (tags: string[]) => Promise<string[]>,
): Promise<void> {
  await updateProject(manageFor(desk, request), request.params.projectId, async ({ extra }) => ({
    extra: new Map([['tags', await next(tagsOf(extra))]]),
  }));
}

function noTag(tag: string): CofferError {
  return new CofferError('not_found', `Could not find project tag: ${tag}.`);
}
