import type { Coffer } from '../coffer.ts';
import type { ProjectRow } from '../db/schema.ts';
import { StaleRow, updateRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { openListed, operate } from '../operation.ts';
import type { Caller } from '../policy/actor.ts';
import { listLimitedProjects } from './queries.ts';
import { decodeLimits, encodeLimits, LIMITED, type Limited, type ProjectLimits } from './record.ts';
import { parseLimits } from './schema.ts';

const NAME = 'Project Quotas';
const PROJECT_ID = /^[^\p{Cc}\p{Surrogate}]{1,255}$/u;

/** What holds in the caller's project: its own limits, and else the defaults. */
export async function getEffectiveLimits(
  coffer: Coffer,
  caller: Caller,
): Promise<ReadonlyMap<Limited, number>> {
  return await operate(coffer, caller, {
    action: 'quotas:get',
    name: 'Quotas',
    run: async () => {
      const projectId = caller.actor.projectId ?? '';
      // What another server has just set is shown too.
      coffer.keyring.forgetProject(projectId);
      const project = await coffer.keyring.findProject(projectId);
      const own = limitsOf(project);
      const defaults: Readonly<Record<string, number>> = coffer.limits.quotas;
      return new Map(LIMITED.map((name) => [name, own?.get(name) ?? defaults[name] ?? -1]));
    },
  });
}

export interface LimitedProject {
  id: string;
  limits: ProjectLimits;
}

/** A page of the projects that have limits of their own. */
export async function listProjectLimits(
  coffer: Coffer,
  caller: Caller,
  page: { offset: number; limit: number },
): Promise<{ projects: LimitedProject[]; total: number }> {
  return await operate(coffer, caller, {
    action: 'project_quotas:get',
    name: NAME,
    run: async () => {
      const { rows, total } = await listLimitedProjects(coffer.db, page);
      const opened = await openListed(coffer, caller, 'projects', { deleted: null }, rows);
      const projects = opened.flatMap((project) => {
        const limits = limitsOf(project);
        return limits === undefined ? [] : [{ id: project.id, limits }];
      });
      return { projects, total };
    },
  });
}

/** The limits of one project. @throws CofferError `not_found` for one without limits of its own. */
export async function getProjectLimits(
  coffer: Coffer,
  caller: Caller,
  projectId: string,
): Promise<ProjectLimits> {
  return await operate(coffer, caller, {
    action: 'project_quotas:get',
    name: NAME,
    run: async () => (await findLimited(coffer, projectId)).limits,
  });
}

/** Sets those limits of a project that the body names, whether anybody knows the project yet or not. */
export async function setProjectLimits(
  coffer: Coffer,
  caller: Caller,
  projectId: string,
  readBody: () => Promise<unknown>,
): Promise<void> {
  await operate(coffer, caller, {
    action: 'project_quotas:put',
    name: NAME,
    run: async () => {
      const wanted = parseLimits(await readBody());
      if (!PROJECT_ID.test(projectId)) {
        throw new CofferError('bad_request', 'Provided field value is not supported');
      }
      coffer.keyring.forgetProject(projectId);
      const project = await coffer.keyring.ensureProject(projectId);
      if (project.origin === 'system') throw notFound();
      const limits = new Map([...(limitsOf(project) ?? []), ...wanted]);
      await changeLimits(coffer, project, encodeLimits(limits));
    },
  });
}

/** Takes a project's own limits away: the defaults hold again. @throws CofferError `not_found`. */
export async function removeProjectLimits(coffer: Coffer, caller: Caller, projectId: string): Promise<void> {
  await operate(coffer, caller, {
    action: 'project_quotas:delete',
    name: NAME,
    run: async () => {
      const { project } = await findLimited(coffer, projectId);
      await changeLimits(coffer, project, null);
    },
  });
}

async function findLimited(
  { keyring }: Coffer,
  projectId: string,
): Promise<{ project: ProjectRow; limits: ProjectLimits }> {
  if (!PROJECT_ID.test(projectId)) throw notFound();
  keyring.forgetProject(projectId);
  const project = await keyring.findProject(projectId);
  const limits = limitsOf(project);
  if (project === undefined || limits === undefined) throw notFound();
  return { project, limits };
}

/** Undefined for a project without limits of its own, and for one that is going. */
function limitsOf(project: ProjectRow | undefined): ProjectLimits | undefined {
  if (project === undefined || project.limits === null || project.deleted !== null) return undefined;
  return decodeLimits(project.limits);
}

/** From here on no creation rests on the limits before: the row's seal is another one. */
async function changeLimits(
  { db, keyring, clock }: Coffer,
  project: ProjectRow,
  limits: Uint8Array | null,
): Promise<void> {
  try {
    await updateRow(db, keyring, 'projects', project, { limits, updated: clock.now() });
  } catch (error) {
    if (error instanceof StaleRow) keyring.forgetProject(project.id);
    throw error;
  }
  keyring.forgetProject(project.id);
}

function notFound(): CofferError {
  return new CofferError('not_found', 'Project quotas not found.');
}
