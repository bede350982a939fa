import type { FastifyInstance } from 'fastify';
import type { Coffer } from '../coffer.ts';
import { CofferError } from '../errors.ts';
import { described } from '../http/documentation.ts';
import type { Identity } from './identity.ts';
import { formatCatalog } from './keystone-wire.ts';
import { scopeDocumentation } from './openapi.ts';
import { formatDomain, formatProject } from './management/wire.ts';

/** What the bearer of a token finds, and what it may be scoped to. */
export function registerScopes(app: FastifyInstance, coffer: Coffer, identity: Identity): void {
  const base = `${coffer.publicUrl}/identity/v3`;
  const linksOf = (what: string): object => ({ self: `${base}/auth/${what}`, previous: null, next: null });

  app.get(
    '/identity/v3/auth/catalog',
    {
      config: { actor: true },
      ...described(scopeDocumentation('The services of the project that the token is for')),
    },
    async (request) => {
      if (request.actor.projectId === null) {
        throw new CofferError(
          'forbidden',
          'A project-scoped token is required to produce a service catalog.',
        );
      }
      return { catalog: formatCatalog(coffer), links: { self: `${base}/auth/catalog` } };
    },
  );

  app.get(
    '/identity/v3/auth/projects',
    {
      config: { actor: true },
      ...described(scopeDocumentation('The projects in which the user has a role')),
    },
    async (request) => {
      const { projects } = await identity.listScopes(request.actor.userId);
      return {
        projects: projects.map((project) => formatProject(base, project)),
        links: linksOf('projects'),
      };
    },
  );

  app.get(
    '/identity/v3/auth/domains',
    { config: { actor: true }, ...described(scopeDocumentation('The domains in which the user has a role')) },
    async (request) => {
      const { hasDomain } = await identity.listScopes(request.actor.userId);
      return { domains: hasDomain ? [formatDomain(base)] : [], links: linksOf('domains') };
    },
  );

  app.get(
    '/identity/v3/auth/system',
    {
      config: { actor: true },
      ...described(scopeDocumentation('Whether the user has a role in the system')),
    },
    async (request) => {
      const { hasSystem } = await identity.listScopes(request.actor.userId);
      return { system: hasSystem ? [{ all: true }] : [], links: { self: `${base}/auth/system` } };
    },
  );
}
