import type { FastifyInstance } from 'fastify';
import type { Coffer } from '../../coffer.ts';
import type { Identity } from '../identity.ts';
import { openDesk } from './asking.ts';
import { registerCatalogRoutes } from './catalog-routes.ts';
import { registerDomainRoutes } from './domain-routes.ts';
import { registerGrantRoutes } from './grant-routes.ts';
import { registerInferenceRoutes } from './inference-routes.ts';
import { registerProjectRoutes } from './project-routes.ts';
import { registerRoleRoutes } from './role-routes.ts';
import { registerTagRoutes } from './tag-routes.ts';
import { registerUserRoutes } from './user-routes.ts';

/** Keystone's management of projects, users and roles. `destroyProject` takes a project with all it holds. */
export function registerManagementRoutes(
  app: FastifyInstance,
  coffer: Coffer,
  { accounts }: Identity,
  destroyProject: (projectId: string) => Promise<void>,
): void {
  const desk = openDesk(app, coffer, accounts);
  registerProjectRoutes(desk, destroyProject);
  registerTagRoutes(desk);
  registerUserRoutes(desk);
  registerRoleRoutes(desk);
  registerInferenceRoutes(desk);
  registerGrantRoutes(desk);
  registerDomainRoutes(desk);
  registerCatalogRoutes(desk);
}
