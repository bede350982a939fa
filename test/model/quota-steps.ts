import { expect } from 'vitest';
import type { Limited } from './model.ts';
import { isAllowed, type Step, type World } from './world.ts';

type Perform = (world: World, step: Step) => Promise<void>;

/** Steps of the service administrator on quotas, and what a project sees of them. */
export const QUOTA_STEPS: Readonly<Record<string, Perform>> = {
  'limit a project': async (world, step) => {
    const project = world.projects[step.at % world.projects.length] as string;
    const what = (['secrets', 'containers', 'orders'] as const)[step.other % 3] as Limited;
    // Few orders are made in a run.
    const limit = step.count === 0 ? -1 : step.count * (what === 'orders' ? 1 : 4);
    const quotas = { [what]: limit };
    const body = { project_quotas: quotas };
    const reply = await world.serviceAdministrator.put(`/v1/project-quotas/${project}`, body);
    expect(reply.status).toBe(204);
    world.model.limits.set(project, { ...world.model.limits.get(project), ...quotas });
  },
  'take the limits of a project away': async (world, step) => {
    const project = world.projects[step.at % world.projects.length] as string;
    const reply = await world.serviceAdministrator.delete(`/v1/project-quotas/${project}`);
    expect(reply.status).toBe(world.model.limits.delete(project) ? 204 : 404);
  },
  'try to limit a project without the right': async (world, step) => {
    const who = world.who(step);
    const body = { project_quotas: { secrets: 0 } };
    const reply = await who.client.put(`/v1/project-quotas/${who.project}`, body);
    isAllowed(reply, 'project_quotas:put', who);
  },
  'get the quotas that apply': async (world, step) => {
    const who = world.who(step);
    const reply = await who.client.get('/v1/quotas');
    if (!isAllowed(reply, 'quotas:get', who)) return;
    const limits = { secrets: -1, containers: -1, orders: -1, ...world.model.limits.get(who.project) };
    expect(reply.json.quotas).toMatchObject(limits);
  },
};
